"""What a write changes of a row, and what the audit log tells of it. Plain functions."""

from collections.abc import Collection, Mapping
from typing import Any

__all__ = ["Changes", "changes_to", "told"]

# Name of a field -> its value before and after.
Changes = dict[str, tuple[Any, Any]]


def changes_to(row: object, wanted: Mapping[str, Any]) -> Changes:
    """The fields of `row` whose wanted value differs from the one they have."""
    before = {name: getattr(row, name) for name in wanted}
    return {name: (before[name], new) for name, new in wanted.items() if before[name] != new}


def told(changes: Changes, *, with_values: Collection[str] = ()) -> dict[str, Any]:
    """Details for the audit log: the names of all fields, the values of those named only.

    Args:
        with_values: Fields whose values may be told; never a secret or personal data.
    """
    values = {
        name: [_plain(before), _plain(after)]
        for name, (before, after) in sorted(changes.items())
        if name in with_values
    }
    return {"fields": sorted(changes), "values": values}


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | str | list) else str(value)
