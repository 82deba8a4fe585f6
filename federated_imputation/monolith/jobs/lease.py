"""Finding the jobs that are due, and holding one while working on it.

A worker takes a due row for `LEASE` and a beat of its own renews that while a long call (an
upload, a download) is under way. A worker that dies stops beating, the lease expires, and the row
is taken again under a higher fence. A worker that was only slow finds its fence outdated and
writes nothing; and since a fence cannot hold back bytes on their way to a service, it stops
sending, too, as soon as its lease may have run out (`Hold.check`).
"""

import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import Error, connection, transaction
from django.db.models import Q

from federated_imputation.monolith.jobs.models import JobWork

__all__ = ["LEASE", "Claim", "Hold", "LeaseLost", "claim", "claim_due", "held"]

logger = logging.getLogger(__name__)
LEASE: Final = timedelta(seconds=30)
_AT_ONCE: Final = 200
_BEAT_SECONDS: Final = LEASE.total_seconds() / 3


class LeaseLost(Exception):
    """Another worker has the job now; nothing of what was done since may be written."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to write about a job until a later claim has a higher `fence`.

    Attributes:
        until: When the lease ends, unless it is renewed.
    """

    job_id: uuid.UUID
    fence: int
    until: datetime


@transaction.atomic
def claim_due(*, now: datetime, most: int = _AT_ONCE) -> list[uuid.UUID]:
    """Jobs that are due, free and not announced lately; they count as announced from now on.

    Ticks that overlap get different jobs. A job whose message is lost is due again after
    `settings.JOB_DISPATCH_SECONDS`.
    """
    unannounced = Q(dispatched_until__isnull=True) | Q(dispatched_until__lte=now)
    found = list(
        JobWork.objects.select_for_update(skip_locked=True)
        .filter(_due(now), unannounced)
        .order_by("next_poll_at", "job_id")
        .values_list("job_id", flat=True)[:most]
    )
    until = now + timedelta(seconds=settings.JOB_DISPATCH_SECONDS)
    if found:
        JobWork.objects.filter(job_id__in=found).update(dispatched_until=until)
    return found


@transaction.atomic
def claim(job_id: uuid.UUID, *, now: datetime) -> Claim | None:
    """Take the job if it is due and free, else `None`."""
    row = (
        JobWork.objects.select_for_update(skip_locked=True).filter(_due(now), job_id=job_id).first()
    )
    if row is None:
        return None
    row.fence += 1
    row.lease_until = now + LEASE
    row.dispatched_until = None
    row.save(update_fields=["fence", "lease_until", "dispatched_until"])
    return Claim(job_id=job_id, fence=row.fence, until=row.lease_until)


class Hold:
    """A lease that is being renewed; safe to share between threads."""

    def __init__(self, claim: Claim, *, clock: Callable[[], datetime]) -> None:
        self._claim = claim
        self._clock = clock
        self._until = claim.until

    def check(self) -> None:
        """Nothing, while nobody else can have the job.

        Raises:
            LeaseLost: The lease was not renewed in time, for whatever reason.
        """
        if self._clock() >= self._until:
            raise LeaseLost

    def renew(self) -> bool:
        """Renew the lease; false when there is nothing (any more) to renew.

        Raises:
            django.db.Error: The database is away; the lease runs on.
        """
        until = self._clock() + LEASE
        renewed = JobWork.objects.filter(
            job_id=self._claim.job_id, fence=self._claim.fence, lease_until__isnull=False
        ).update(lease_until=until)
        self._until = until if renewed else self._clock()
        return bool(renewed)


@contextmanager
def held(
    claim: Claim, *, clock: Callable[[], datetime], every: float = _BEAT_SECONDS
) -> Iterator[Hold]:
    """Renew the lease of `claim` every `every` seconds from a thread until the block ends."""
    hold = Hold(claim, clock=clock)
    stop = threading.Event()
    beat = threading.Thread(
        target=_beat, args=(hold, claim.job_id, every, stop), name="lease", daemon=True
    )
    beat.start()
    try:
        yield hold
    finally:
        stop.set()
        beat.join()


def _beat(hold: Hold, job_id: uuid.UUID, every: float, stop: threading.Event) -> None:
    try:
        while not stop.wait(every):
            try:
                if not hold.renew():
                    return
            except Error:
                logger.warning("The lease of job %s could not be renewed.", job_id)
                connection.close()
    finally:
        connection.close()


def _due(now: datetime) -> Q:
    """Rows whose time has come and that no worker holds."""
    return Q(next_poll_at__lte=now) & (Q(lease_until__isnull=True) | Q(lease_until__lte=now))
