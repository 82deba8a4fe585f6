"""What the mutator needs to know of a node."""

from pathlib import Path
from typing import Any, Final

from tests.security.node.scene import build_scene
from tests.security.node.table import ROWS

__all__ = ["MUTATED", "NOT_WALKED", "ROWS", "build_scene", "settings"]

MUTATED: Final = r"apps\.node\.(michigan\.(access|views|job_views|download_views)|queries)"
# Part of a mutant's line → why no row of the walk can notice it.
NOT_WALKED: Final[dict[str, str]] = {}


def settings(folder: Path) -> dict[str, Any]:
    """What differs while the walk is under way: a folder of its own, cheap passwords."""
    return {
        "DATA_ROOT": str(folder),
        "FILE_UPLOAD_TEMP_DIR": str(folder / "uploads"),
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
    }
