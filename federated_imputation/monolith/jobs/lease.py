"""Finding the jobs that are due, and holding one while working on it (`apps.shared.leases`)."""

import uuid
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Q

from apps.shared.leases import LEASE, Claim, Hold, LeaseLost, Leases, held
from federated_imputation.monolith.jobs.models import JobWork

__all__ = ["LEASE", "Claim", "Hold", "LeaseLost", "claim", "claim_due", "held"]

_AT_ONCE: Final = 200


def _due(now: datetime) -> Q:
    return Q(next_poll_at__lte=now)


_JOBS: Final = Leases(table=JobWork, due=_due, order=("next_poll_at", "job_id"))


def claim_due(*, now: datetime, most: int = _AT_ONCE) -> list[uuid.UUID]:
    """Jobs that are due, free and not announced lately; they count as announced from now on.

    Ticks that overlap get different jobs. A job whose message is lost is due again after
    `settings.JOB_DISPATCH_SECONDS`.
    """
    announced_for = timedelta(seconds=settings.JOB_DISPATCH_SECONDS)
    return _JOBS.claim_due(now=now, most=most, announced_for=announced_for)


def claim(job_id: uuid.UUID, *, now: datetime) -> Claim | None:
    """Take the job if it is due and free, else `None`."""
    return _JOBS.claim(job_id, now=now)
