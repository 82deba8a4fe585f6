"""All rows of the contract, and the list of endpoints that they cover."""

from pathlib import Path
from typing import Final

from tests.contract.row import Row
from tests.contract.rows import accounts, auth, jobs, platform, registry, rights

__all__ = ["AWAITED", "ENDPOINTS", "ROWS"]

_HERE: Final = Path(__file__).parent


def _lines(name: str) -> tuple[str, ...]:
    text = (_HERE.parent / name).read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


ENDPOINTS: Final = _lines("endpoints.txt")
# Of these, what our own server does not answer yet.
AWAITED: Final = frozenset(_lines("awaited.txt"))
ROWS: Final[tuple[Row, ...]] = (
    *auth.ROWS,
    *accounts.ROWS,
    *rights.ROWS,
    *registry.ROWS,
    *jobs.ROWS,
    *platform.ROWS,
)
