"""What the mutator needs to know of a node."""

from pathlib import Path
from typing import Any, Final

from tests.security.node.scene import build_scene
from tests.security.node.table import ROWS

__all__ = ["MUTATED", "ROWS", "TESTS", "build_scene", "settings"]

MUTATED: Final = r"apps\.node\.(michigan\.(access|views|job_views|download_views)|queries)"
# Of what the walk does not notice: pattern of a module's name → the tests that have to,
# below `tests/`. Not those that ask a node in a process of its own: no mutant is at work there.
TESTS: Final = {
    r"apps\.node\..*": (
        "unit/apps/node/test_guard.py unit/apps/node/test_traps.py "
        "unit/apps/node/test_downloads.py unit/apps/node/test_submission.py "
        "unit/apps/node/test_hostile_requests.py unit/apps/node/test_as_cloudgene_does.py"
    )
}


def settings(folder: Path) -> dict[str, Any]:
    """What differs while the walk is under way: a folder of its own, cheap passwords."""
    return {
        "DATA_ROOT": str(folder),
        "FILE_UPLOAD_TEMP_DIR": str(folder / "uploads"),
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
    }
