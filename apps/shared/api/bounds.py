"""How large the numbers of the API are."""

from typing import Any, Final

__all__ = ["BIGINT", "LARGEST_ID", "LARGEST_INTEGER"]

LARGEST_ID: Final = 2**63 - 1
LARGEST_INTEGER: Final = 2**31 - 1  # PostgreSQL's integer: counts, and the ids of users
# A row's id, as OpenAPI says it: PostgreSQL's bigint, from 1.
BIGINT: Final[dict[str, Any]] = {
    "type": "integer",
    "format": "int64",
    "minimum": 1,
    "maximum": LARGEST_ID,
}
