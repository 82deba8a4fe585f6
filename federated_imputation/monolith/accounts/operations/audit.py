"""Appending to the audit log."""

from datetime import datetime
from typing import Any

from apps.shared.api.origin import Origin
from federated_imputation.monolith.accounts.models import AuditLog

__all__ = ["record_audit"]


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

    Args:
        action: Up to 20 characters, `create_job`.
        user_id: Who did it; `None` for the platform itself or an unknown person.
        origin: From where; `None` when there was no request.
        resource_type: What kind of thing it was done to, up to 50 characters.
        resource_id: Which one, up to 100 characters.
        details: Plain JSON values; never a secret.
    """
    return AuditLog.objects.create(
        action=action,
        user_id=user_id,
        resource_type=resource_type,
        resource_id=resource_id,
        details=details or {},
        ip_address=origin.address if origin else None,
        user_agent=origin.user_agent if origin else "",
        timestamp=now,
    )
