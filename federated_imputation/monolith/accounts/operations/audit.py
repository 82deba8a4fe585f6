"""Appending to the audit log. No row is lost for what a client sent."""

from datetime import datetime
from ipaddress import ip_address
from typing import Any, Final

from apps.shared.api.origin import Origin
from federated_imputation.monolith.accounts.models import AuditLog

__all__ = ["record_audit"]

_LONGEST_ACTION: Final = 20
_LONGEST_RESOURCE_ID: Final = 100
_LONGEST_USER_AGENT: Final = 500


def record_audit(
    *,
    action: str,
    user_id: int | None,
    origin: Origin | None,
    now: datetime,
    resource_type: str = "",
    resource_id: str = "",
    details: dict[str, Any] | None = None,
) -> AuditLog:
    """Append one row to the audit log, in the caller's transaction if there is one.

    What a client sent is cut to size, with '?' for characters that no row can hold.

    Args:
        action: Up to 20 characters, `create_job`.
        user_id: Who did it; `None` for the platform itself or an unknown person.
        origin: From where; `None` when there was no request.
        resource_type: What kind of thing it was done to, up to 50 characters.
        resource_id: Which one; 100 characters are kept.
        details: Plain JSON values; never a secret.

    Raises:
        ValueError: The action is too long for its column.
    """
    if len(action) > _LONGEST_ACTION:
        raise ValueError(action)
    return AuditLog.objects.create(
        action=action,
        user_id=user_id,
        resource_type=resource_type,
        resource_id=_storable(resource_id)[:_LONGEST_RESOURCE_ID],
        details=_storable(details or {}),
        ip_address=_address(origin.address) if origin else None,
        user_agent=_storable(origin.user_agent)[:_LONGEST_USER_AGENT] if origin else "",
        timestamp=now,
    )


def _storable(value: Any) -> Any:
    """`value` with '?' for NUL and for half characters (lone surrogates), which no row can hold."""
    if isinstance(value, str):
        return value.replace("\0", "?").encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_storable(name): _storable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(inner) for inner in value]
    return value


def _address(told: str | None) -> str | None:
    """The address without the zone that a link-local one may name; `None` when it is none."""
    try:
        return str(ip_address((told or "").partition("%")[0]))
    except ValueError:
        return None
