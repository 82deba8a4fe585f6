"""When a schedule is due. Plain functions; all moments are aware.

A schedule has a first moment, and then its times: each `interval` days, weeks or months later, at
the same time of day on the clock of its zone. So what runs at 02:00 runs at 02:00 in summer and in
winter. Of a month that has no such day the last one counts: the 31st is the 30th of April.

Twice a year a clock is moved. A time that it leaves out is taken as much later as the clock was
moved (02:30 becomes 03:30), and of a time that it shows twice the first is taken: what Python's
`fold=0` means (PEP 495).
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import count, takewhile
from typing import Final
from zoneinfo import ZoneInfo

__all__ = ["Recurrence", "Rhythm"]

# Where a clock was moved by a day (Samoa, 2011), a time may be this many places from where the
# calendar has it.
_SLACK: Final = 2


class Rhythm(StrEnum):
    ONCE = "once"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


@dataclass(frozen=True, kw_only=True)
class Recurrence:
    """The times of one schedule.

    Attributes:
        first: The first of them, aware.
        interval: In days, weeks or months; from 1. Nothing to what is done once.
        zone: On whose clock the time of day stays the same.
    """

    rhythm: Rhythm
    first: datetime
    interval: int
    zone: ZoneInfo

    def time(self, number: int) -> datetime | None:
        """The time with this number, from 0, in UTC; `None` when there is none, or beyond 9999."""
        if number == 0:
            return self.first.astimezone(UTC)
        if self.rhythm is Rhythm.ONCE:
            return None
        local = self.first.astimezone(self.zone)
        try:
            day = self._day(local.date(), number * self.interval)
            return datetime.combine(day, local.time(), self.zone).replace(fold=0).astimezone(UTC)
        except (OverflowError, ValueError):
            return None

    def after(self, moment: datetime) -> datetime | None:
        """The first time that is later than `moment`, in UTC; `None` when none is."""
        return next((time for time in self._from(moment) if time > moment), None)

    def count_between(self, earlier: datetime, later: datetime) -> int:
        """How many times are later than `earlier`, and not later than `later`."""
        if later <= earlier or self.rhythm is Rhythm.ONCE:
            return int(earlier < self.first <= later)
        upto = takewhile(lambda time: time <= later, self._from(earlier))
        return len({time for time in upto if time > earlier})

    def _from(self, moment: datetime) -> Iterator[datetime]:
        """The times from one that is not later than `moment` on, or from the first."""
        numbers = count(max(0, self._estimate(moment) - _SLACK))
        for number in numbers:
            time = self.time(number)
            if time is None:
                return
            yield time

    def _estimate(self, moment: datetime) -> int:
        """The number of the time that is about at `moment`."""
        first = self.first.astimezone(self.zone).date()
        there = moment.astimezone(self.zone).date()
        match self.rhythm:
            case Rhythm.ONCE:
                return 0
            case Rhythm.DAILY:
                return (there - first).days // self.interval
            case Rhythm.WEEKLY:
                return (there - first).days // (7 * self.interval)
            case Rhythm.MONTHLY:
                months = 12 * (there.year - first.year) + there.month - first.month
                return months // self.interval

    def _day(self, first: date, steps: int) -> date:
        """The day that is `steps` days, weeks or months after `first`."""
        match self.rhythm:
            case Rhythm.MONTHLY:
                years, month = divmod(first.month - 1 + steps, 12)
                year = first.year + years
                return date(year, month + 1, min(first.day, monthrange(year, month + 1)[1]))
            case Rhythm.WEEKLY:
                return first + timedelta(weeks=steps)
            case _:
                return first + timedelta(days=steps)
