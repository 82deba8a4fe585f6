"""Taking a panel out of service, and back.

A job names its panel by the full key and reads it by its folder, so a retired panel stays where it
is: whoever has it, keeps it; whoever asks for it from now on, does not find it.
"""

from dataclasses import replace
from datetime import datetime

from apps.node.pipeline.panels.manifest import RETIRED, Panel
from apps.shared.durable import sync_file, sync_folder

__all__ = ["offer_again", "retire_panel"]


def retire_panel(panel: Panel, *, now: datetime) -> Panel:
    """Give the panel to no new job; one that is retired stays so since then."""
    if panel.retired_at is not None:
        return panel
    path = panel.folder / RETIRED
    partial = path.with_name(f".{path.name}")
    partial.write_text(f"{now.isoformat()}\n", encoding="ascii")
    sync_file(partial)
    partial.rename(path)
    sync_folder(panel.folder)
    return replace(panel, retired_at=now)


def offer_again(panel: Panel) -> Panel:
    """Offer a retired panel again."""
    (panel.folder / RETIRED).unlink(missing_ok=True)
    sync_folder(panel.folder)
    return replace(panel, retired_at=None)
