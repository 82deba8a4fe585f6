"""Long work as rows that are due, held by one worker at a time.

A worker takes a due row for `LEASE`, and a beat of its own renews that while a long call (an
upload, a download, a child process) is under way. A worker that dies stops beating, the lease
expires, and the row is taken again under a higher fence. A worker that was only slow finds its
fence outdated and writes nothing; and since a fence cannot hold back what happens outside of the
database, it stops that, too, as soon as its lease may have run out (`Hold.check`).
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import Error, connection, models, transaction
from django.db.models import Q

__all__ = ["LEASE", "Claim", "Hold", "LeaseLost", "Leased", "Leases", "held"]

logger = logging.getLogger(__name__)
LEASE: Final = timedelta(seconds=30)
_BEAT_SECONDS: Final = LEASE.total_seconds() / 3


class LeaseLost(Exception):
    """Another worker has the row now; nothing of what was done since may be written."""


class Leased(models.Model):
    """The base of a table whose rows are worked on under a lease.

    A worker holds a row until `lease_until`; each holder has a higher `fence`, and nothing is
    written under an older one. `dispatched_until` keeps the tick from announcing it twice.
    """

    dispatched_until = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.BigIntegerField(default=0)

    class Meta:
        abstract = True


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to write about a row until a later claim has a higher `fence`.

    Attributes:
        table: Whose row it is.
        pk: The row's primary key.
        until: When the lease ends, unless it is renewed.
        is_left_over: Whether the holder before never let go: its worker died, or its work failed in
            a way that nobody foresaw.
    """

    table: type[Leased]
    pk: Any
    fence: int
    until: datetime
    is_left_over: bool = False

    def rows(self) -> "models.QuerySet[Any]":
        """The row while the claim holds, else nothing; filters by the fence at the same time."""
        return self.table._default_manager.filter(
            pk=self.pk, fence=self.fence, lease_until__isnull=False
        )


@dataclass(frozen=True, kw_only=True)
class Leases:
    """The leases on the rows of one table.

    Attributes:
        table: Its rows.
        due: Which of them have work to do at a time.
        order: Which are announced first; ends in a unique column.
    """

    table: type[Leased]
    due: Callable[[datetime], Q]
    order: tuple[str, ...]

    @transaction.atomic
    def claim_due(self, *, now: datetime, most: int, announced_for: timedelta) -> list[Any]:
        """Primary keys of rows that are due, free and not announced lately.

        They count as announced from now on. Ticks that overlap get different rows. A row whose
        message is lost is due again after `announced_for`.
        """
        unannounced = Q(dispatched_until__isnull=True) | Q(dispatched_until__lte=now)
        found = list(
            self._free(now)
            .filter(unannounced)
            .order_by(*self.order)
            .values_list("pk", flat=True)[:most]
        )
        if found:
            rows = self.table._default_manager.filter(pk__in=found)
            rows.update(dispatched_until=now + announced_for)
        return found

    @transaction.atomic
    def claim(self, pk: Any, *, now: datetime) -> Claim | None:
        """Take the row if it is due and free, else `None`."""
        row = self._free(now).filter(pk=pk).first()
        if row is None:
            return None
        is_left_over = row.lease_until is not None
        row.fence += 1
        row.lease_until = now + LEASE
        row.dispatched_until = None
        row.save(update_fields=["fence", "lease_until", "dispatched_until"])
        return Claim(
            table=self.table,
            pk=pk,
            fence=row.fence,
            until=row.lease_until,
            is_left_over=is_left_over,
        )

    def _free(self, now: datetime) -> "models.QuerySet[Any]":
        """Rows whose time has come and that no worker holds, locked; others' locks are skipped."""
        free = Q(lease_until__isnull=True) | Q(lease_until__lte=now)
        rows = self.table._default_manager.select_for_update(skip_locked=True)
        return rows.filter(self.due(now), free)


class Hold:
    """A lease that is being renewed; safe to share between threads."""

    def __init__(self, claim: Claim, *, clock: Callable[[], datetime]) -> None:
        self._claim = claim
        self._clock = clock
        self._until = claim.until

    def check(self) -> None:
        """Nothing, while nobody else can have the row.

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
        renewed = self._claim.rows().update(lease_until=until)
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
        target=_beat, args=(hold, claim, every, stop), name="lease", daemon=True
    )
    beat.start()
    try:
        yield hold
    finally:
        stop.set()
        beat.join()


def _beat(hold: Hold, claim: Claim, every: float, stop: threading.Event) -> None:
    try:
        while not stop.wait(every):
            try:
                if not hold.renew():
                    return
            except Error:
                table = claim.table._meta.db_table
                logger.warning("The lease of %s %s could not be renewed.", table, claim.pk)
                connection.close()
    finally:
        connection.close()
