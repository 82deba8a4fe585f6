"""How many jobs a user may still submit. Plain decisions; `operations.quotas` acts on them.

Two limits hold at the same time. That of the **month** is the profile's: it begins anew on the
first day of each month, 00:00 UTC, for everybody at the same moment, whatever the time zone of the
profile, which its user could change. That of a **service** is of the user's access there; it does
not begin anew, somebody raises it.

A profile says which month it counts, so that no clock has to begin one: a number of an earlier
month counts for nothing. One that says no month was written by the legacy system, and counts in the
first month in which it is looked at.
"""

from datetime import UTC, date, datetime
from decimal import ROUND_UP, Decimal
from typing import Final

from federated_imputation.monolith.accounts.models import UserProfile

__all__ = ["begin_month", "gigabytes", "jobs_used", "month_of", "next_month"]

_GIGABYTE: Final = 1024**3
_MOST_GIGABYTES: Final = Decimal("99999999.99")  # of the profile's columns


def month_of(now: datetime) -> date:
    """The first day of the month that `now` is in, in UTC."""
    return now.astimezone(UTC).date().replace(day=1)


def next_month(month: date) -> date:
    """The first day of the month after that of `month`."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def jobs_used(profile: UserProfile, *, now: datetime) -> int:
    """How many jobs of the month of `now` the user has submitted."""
    counted_in = profile.jobs_counted_in
    is_over = counted_in is not None and counted_in < month_of(now)
    return 0 if is_over else profile.monthly_jobs_used


def begin_month(profile: UserProfile, *, now: datetime) -> None:
    """Make `profile` count the month of `now`; nothing is saved.

    A clock that is behind another does not turn the month back.
    """
    profile.monthly_jobs_used = jobs_used(profile, now=now)
    profile.jobs_counted_in = max(profile.jobs_counted_in or date.min, month_of(now))


def gigabytes(stored: int) -> Decimal:
    """Bytes in GB of 1,024 MB, rounded up to 0.01: whoever stores something is not told 0."""
    exact = Decimal(stored) / _GIGABYTE
    return min(exact.quantize(Decimal("0.01"), rounding=ROUND_UP), _MOST_GIGABYTES)
