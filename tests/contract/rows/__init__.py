"""All rows of the contract, and the list of endpoints that they cover."""

from pathlib import Path
from typing import Final

from tests.contract.row import Row
from tests.contract.rows import accounts, auth, jobs, platform, registry, rights

__all__ = ["ENDPOINTS", "ROWS"]

_LIST: Final = Path(__file__).parents[1] / "endpoints.txt"

ENDPOINTS: Final = tuple(
    line
    for line in _LIST.read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
)
ROWS: Final[tuple[Row, ...]] = (
    *auth.ROWS,
    *accounts.ROWS,
    *rights.ROWS,
    *registry.ROWS,
    *jobs.ROWS,
    *platform.ROWS,
)
