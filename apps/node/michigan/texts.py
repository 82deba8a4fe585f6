"""What PostgreSQL can keep as text: anything but NUL and halves of characters."""

import re

__all__ = ["is_storable"]

_UNSTORABLE = re.compile(r"[\0\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Whether `text` can be stored, and so whether it is worth looking for."""
    return _UNSTORABLE.search(text) is None
