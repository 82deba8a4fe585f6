"""Reads of the audit log."""

from datetime import datetime

from django.db.models import QuerySet

from federated_imputation.monolith.accounts.models import AuditLog

__all__ = ["audit_rows"]


def audit_rows(
    *,
    user_id: int | None = None,
    action: str = "",
    since: datetime | None = None,
    before: datetime | None = None,
) -> QuerySet[AuditLog]:
    """The audit log, newest first, with its users.

    Args:
        user_id: Only what this user did; `None` for all.
        action: Exactly this one; '' for all.
        since: From this moment on.
        before: Up to this moment, without it.
    """
    found = AuditLog.objects.select_related("user")
    if user_id is not None:
        found = found.filter(user_id=user_id)
    if action:
        found = found.filter(action=action)
    if since is not None:
        found = found.filter(timestamp__gte=since)
    if before is not None:
        found = found.filter(timestamp__lt=before)
    return found.order_by("-timestamp", "-id")
