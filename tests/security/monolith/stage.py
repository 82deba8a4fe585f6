"""What the mutator needs to know of the monolith."""

from pathlib import Path
from typing import Any, Final

from tests.security.monolith.scene import build_scene
from tests.security.monolith.table import ROWS

__all__ = ["MUTATED", "ROWS", "TESTS", "build_scene", "settings"]

MUTATED: Final = (
    r"federated_imputation\.monolith\.\w+\.(api|queries|operations|permissions|access"
    r"|authentication|backend|rights|admin|pages)(\.\w+)*"
    r"|apps\.shared\.identity\.permissions"
)
# Of what the walk does not notice: pattern of a module's name → the tests that have to.
TESTS: Final = {
    r"apps\.shared\.identity\..*": "tests/security/test_fourteen_mistakes.py",
    r"federated_imputation\.monolith\.(\w+)\..*": r"tests/unit/monolith/\1",
}


def settings(folder: Path) -> dict[str, Any]:
    """What differs while the walk is under way: a folder of its own, cheap passwords."""
    return {
        "DATA_ROOT": str(folder),
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
    }
