"""Holding a job while working on it.

A worker takes a due row for `LEASE` and a beat of its own renews that while a long call (an
upload, a download) is under way. A worker that dies stops beating, the lease expires, and the row
is taken again under a higher fence. A worker that was only slow finds its fence outdated and
writes nothing.
"""

import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import DatabaseError, connection, transaction
from django.db.models import Q

from federated_imputation.monolith.jobs.models import JobWork

__all__ = ["LEASE", "Claim", "LeaseLost", "claim", "due", "held"]

logger = logging.getLogger(__name__)
LEASE: Final = timedelta(seconds=30)
_BEAT_SECONDS: Final = LEASE.total_seconds() / 3


class LeaseLost(Exception):
    """Another worker has the job now; nothing of what was done since may be written."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to write about a job until a later claim has a higher `fence`."""

    job_id: uuid.UUID
    fence: int


def due(now: datetime) -> Q:
    """Rows whose time has come and that no worker holds."""
    return Q(next_poll_at__lte=now) & (Q(lease_until__isnull=True) | Q(lease_until__lte=now))


@transaction.atomic
def claim(job_id: uuid.UUID, *, now: datetime) -> Claim | None:
    """Take the job if it is due and free, else `None`."""
    row = (
        JobWork.objects.select_for_update(skip_locked=True).filter(due(now), job_id=job_id).first()
    )
    if row is None:
        return None
    row.fence += 1
    row.lease_until = now + LEASE
    row.dispatched_until = None
    row.save(update_fields=["fence", "lease_until", "dispatched_until"])
    return Claim(job_id=job_id, fence=row.fence)


@contextmanager
def held(
    claim: Claim, *, clock: Callable[[], datetime], every: float = _BEAT_SECONDS
) -> Iterator[None]:
    """Renew the lease of `claim` every `every` seconds from a thread until the block ends."""
    stop = threading.Event()
    beat = threading.Thread(
        target=_beat, args=(claim, clock, every, stop), name="lease", daemon=True
    )
    beat.start()
    try:
        yield
    finally:
        stop.set()
        beat.join()


def _beat(claim: Claim, clock: Callable[[], datetime], every: float, stop: threading.Event) -> None:
    try:
        while not stop.wait(every):
            try:
                renewed = JobWork.objects.filter(
                    job_id=claim.job_id, fence=claim.fence, lease_until__isnull=False
                ).update(lease_until=clock() + LEASE)
            except DatabaseError:
                logger.warning("The lease of job %s could not be renewed.", claim.job_id)
                connection.close()
                continue
            if not renewed:
                return
    finally:
        connection.close()
