"""Writes of deletions: begun by a subject's owner, taken and carried on by the saga."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Q, QuerySet

from apps.shared.leases import Claim, LeaseLost, Leases
from federated_imputation.monolith.deletions.models import Deletion
from federated_imputation.monolith.deletions.queries import Subject

__all__ = ["begin", "claim", "claim_due", "end", "erase", "go_on", "wait"]

_AT_ONCE: Final = 20
_ANNOUNCED_FOR: Final = timedelta(seconds=30)


def _due(now: datetime) -> Q:
    return Q(next_try_at__lte=now)


_LEASES: Final = Leases(table=Deletion, due=_due, order=("next_try_at", "id"))


def begin(subject: Subject, *, asked_by: int | None, now: datetime) -> bool:
    """Put a subject on its way out, in the transaction in which its owner switches it off.

    Args:
        asked_by: The user who asked; `None` for the platform itself.

    Returns:
        Whether it was not on its way out before.
    """
    _, is_new = Deletion.objects.get_or_create(
        **{f"{subject.kind}_id": subject.id},
        defaults={"asked_by": asked_by, "created_at": now, "next_try_at": now, "step": ""},
    )
    return is_new


def claim_due(*, now: datetime) -> list[int]:
    """Deletions that somebody has to go on with; they count as announced from now on."""
    found: list[int] = _LEASES.claim_due(now=now, most=_AT_ONCE, announced_for=_ANNOUNCED_FOR)
    return found


def claim(deletion_id: int, *, now: datetime) -> tuple[Claim, Deletion] | None:
    """Take a deletion; `None` when it is over, not due or held by another worker."""
    claimed = _LEASES.claim(deletion_id, now=now)
    row = None if claimed is None else claimed.rows().first()
    return None if claimed is None or row is None else (claimed, row)


def go_on(claimed: Claim, *, step: str) -> None:
    """Everything before `step` is done.

    Raises:
        LeaseLost: Another worker has the deletion now.
    """
    if not claimed.rows().update(step=step):
        raise LeaseLost


def wait(claimed: Claim, *, until: datetime) -> None:
    """Let go of the deletion, which is due again at `until`.

    Raises:
        LeaseLost: Another worker has the deletion now.
    """
    if not claimed.rows().update(next_try_at=until, lease_until=None, dispatched_until=None):
        raise LeaseLost


@transaction.atomic
def erase(row: QuerySet[Any], *, unless: Callable[[], bool]) -> bool:
    """Delete a subject's own row, unless, under its lock, something of it is left.

    Args:
        row: The rows with the subject's primary key.

    Returns:
        Whether it is gone.
    """
    found = row.select_for_update().first()
    if found is None:
        return True
    if unless():
        return False
    found.delete()
    return True


def end(claimed: Claim) -> None:
    """Nothing is left of the subject; in the transaction in which its own row goes.

    Raises:
        LeaseLost: Another worker has the deletion now.
    """
    if not claimed.rows().delete()[0]:
        raise LeaseLost
