"""The simulated panels that come with the code, for demonstrations and tests."""

from pathlib import Path
from typing import Final

from apps.node.pipeline.panels import Panel, Population, read_panel, write_panel

__all__ = ["KIT", "POPULATIONS", "write_kit_panel"]

KIT: Final = Path(__file__).parent / "kit"
POPULATIONS: Final = ("AFR", "EUR")
_VERSION: Final = "1.0.0"
_SAMPLES: Final = 120


def write_kit_panel(root: Path, population: str) -> Panel:
    """Put the simulated panel of `population` below `root`, unless it is there.

    Args:
        population: One of `POPULATIONS`.

    Raises:
        PanelError: It is there and broken.
    """
    panel_id = f"kit-{population.lower()}"
    folder = root / f"{panel_id}@{_VERSION}"
    if folder.is_dir():
        return read_panel(folder)
    return write_panel(
        root,
        id=panel_id,
        version=_VERSION,
        name=f"Kit {population} (SIMULATED)",
        build="hg38",
        populations=[
            Population(id=population.lower(), name=population, samples=_SAMPLES),
            Population(id="off", name="Skip", samples=-1),
        ],
        genotypes={"20": KIT / f"panel_{population}.vcf.gz"},
        maps={"20": KIT / "chr20.40-43Mb.map.gz"},
        simulated=True,
    )
