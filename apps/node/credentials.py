"""The file in which a seeded node tells the platform how to reach it."""

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Credentials", "read_credentials", "write_credentials"]


@dataclass(frozen=True, kw_only=True, repr=False)
class Credentials:
    """Address, name and API token of a node; it has no `repr`, since that would tell the token."""

    name: str
    title: str
    url: str
    token: str
    username: str


def read_credentials(path: Path) -> Credentials | None:
    """What the file says; `None` when it is not there or not complete."""
    try:
        return Credentials(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write_credentials(path: Path, credentials: Credentials) -> None:
    """Replace the file at once, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(credentials), file, indent=1)
            file.write("\n")
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
