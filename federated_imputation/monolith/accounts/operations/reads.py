"""Auditing that somebody looked at what is another's."""

from collections.abc import Iterable
from datetime import datetime

from apps.shared.api.origin import Origin
from federated_imputation.monolith.accounts.operations.audit import record_audit

__all__ = ["record_read"]


def record_read(
    *,
    resource_type: str,
    ids: Iterable[object],
    user_id: int | None,
    origin: Origin,
    now: datetime,
) -> None:
    """Append one `data_access` row for all that one request showed; none when that is nothing.

    Args:
        ids: The rows shown that are not the caller's own.
        user_id: To whom; `None` for a person at the server's shell.
    """
    seen = [str(shown) for shown in ids]
    if seen:
        record_audit(
            action="data_access",
            user_id=user_id,
            resource_type=resource_type,
            resource_id=seen[0] if len(seen) == 1 else "",
            details={"ids": seen},
            origin=origin,
            now=now,
        )
