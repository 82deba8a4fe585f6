"""When to ask a service again: soon at first, ever later while nothing happens."""

import math
from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["back_off_seconds", "next_look", "poll_seconds", "search_seconds"]

LONGEST_POLL: Final = 30.0
# A job that has said nothing new for about a quarter of an hour runs for hours, mostly.
LONG_QUIET_POLLS: Final = 36
LONGEST_QUIET_POLL: Final = 60.0
LONGEST_SEARCH: Final = 60.0
LONGEST_BACK_OFF: Final = 600.0
LONGEST_RETRY_AFTER: Final = 3600.0  # a slip in a header must not put a job to sleep for days
# Jobs that are looked at seldom are looked at together: what a batch costs is shared by more.
TOGETHER: Final = 5.0
_GROWTH: Final = 1.5
_EXPONENT_CAP: Final = 32  # keeps the powers finite for however many failures


def poll_seconds(quiet_polls: int) -> float:
    """Seconds to the next look at a job that has said nothing new for `quiet_polls` looks."""
    longest = LONGEST_POLL if quiet_polls < LONG_QUIET_POLLS else LONGEST_QUIET_POLL
    return float(min(longest, _GROWTH ** min(quiet_polls, _EXPONENT_CAP)))


def next_look(now: datetime, *, wait: float) -> datetime:
    """When to look again after `wait` seconds, or at most `TOGETHER` later where that is long."""
    due = now + timedelta(seconds=wait)
    if wait < LONGEST_POLL:
        return due
    return datetime.fromtimestamp(math.ceil(due.timestamp() / TOGETHER) * TOGETHER, UTC)


def search_seconds(searches: int) -> float:
    """Seconds to the next search for a submission that was looked for `searches` times."""
    return float(min(LONGEST_SEARCH, 2.0 ** min(searches, _EXPONENT_CAP)))


def back_off_seconds(failures: int, *, jitter: float, retry_after: float | None = None) -> float:
    """Seconds to wait after the `failures`-th failure in a row.

    Doubles from 2 s to 10 min; `jitter` in [0, 1) takes away up to half of it, so that many jobs
    do not come back together. Never earlier than the service's own `retry_after`, of which at most
    an hour counts.
    """
    longest = min(LONGEST_BACK_OFF, 2.0 ** min(failures, _EXPONENT_CAP))
    return max(longest * (1 - jitter / 2), min(retry_after or 0.0, LONGEST_RETRY_AFTER))
