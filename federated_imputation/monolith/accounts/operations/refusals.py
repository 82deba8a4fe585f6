"""Why a write of the accounts domain is refused.

    Refused
    ├── Unknown        there is no such row, or not one that the caller may see
    ├── InvalidFields  something given does not fit
    └── Conflict       the state of the platform does not allow it

What the caller may not do raises Django's own `PermissionDenied`.
"""

__all__ = ["Conflict", "InvalidFields", "Refused", "Unknown"]


class Refused(Exception):
    """Nothing was changed."""


class Unknown(Refused):
    """There is no such row, or not one that the caller may see."""


class InvalidFields(Refused):
    """Raised with what is wrong, by field: `{"username": ["…"]}`."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__("Some fields do not fit.")
        self.errors = errors


class Conflict(Refused):
    """Raised with a sentence that says what stands in the way."""
