"""What the mutator needs to know of the monolith."""

from pathlib import Path
from typing import Any, Final

from tests.security.monolith.scene import build_scene
from tests.security.monolith.table import ROWS

__all__ = ["MUTATED", "NOT_WALKED", "ROWS", "build_scene", "settings"]

MUTATED: Final = (
    r"federated_imputation\.monolith\.\w+\.(api|queries|operations|permissions|access"
    r"|authentication|backend|rights|admin|pages)(\.\w+)*"
    r"|apps\.shared\.identity\.permissions"
)
# Part of a mutant's line → why no row of the walk can notice it.
NOT_WALKED: Final[dict[str, str]] = {}


def settings(folder: Path) -> dict[str, Any]:
    """What differs while the walk is under way: a folder of its own, cheap passwords."""
    return {
        "DATA_ROOT": str(folder),
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
    }
