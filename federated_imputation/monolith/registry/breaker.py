"""When a service that does not answer is asked again. Plain functions; `standing` keeps the state.

The story. A breaker is **closed** while a service answers: calls go. Every call that stays without
an answer (no connection, cut, timed out, 5xx) counts, whose job it was for does not matter; every
answer, a refusal too, sets the count to zero. The fifth in a row **opens** it: no job calls any
more until `next_try_at`, so that a service in trouble is left alone and no worker waits for
time-outs. Then one job, the first that asks, may call: the **probe**. While it is under way nobody
else calls. Its answer closes the breaker; its failure opens it for twice as long, up to ten
minutes, less a random part so that many platforms do not come back together. A probe that never
reports is over after `PROBE_LASTS`.

A failure of a call that began before the breaker opened says nothing new; a late answer does.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

__all__ = ["CLOSED", "OPENS_AFTER", "Standing", "answered", "asked", "unanswered"]

OPENS_AFTER: Final = 5
FIRST_WAIT: Final = 15.0
LONGEST_WAIT: Final = 600.0
# Longer than any call that may probe; see the table of limits in `apps.shared.http.client`.
PROBE_LASTS: Final = timedelta(seconds=130)
_EXPONENT_CAP: Final = 32


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a service stands.

    Attributes:
        failures: Calls in a row without an answer since `failing_since`.
        last_error: Of the last of them, in words for people.
        next_try_at: Set while the breaker is open: nobody calls before.
        probe_until: Until when the one job that may call then has the word.
    """

    failures: int = 0
    failing_since: datetime | None = None
    last_error: str = ""
    next_try_at: datetime | None = None
    probe_until: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.next_try_at is not None


CLOSED: Final = Standing()


def asked(standing: Standing, *, now: datetime) -> Standing | None:
    """How the service stands once somebody calls it at `now`; `None` when nobody may."""
    if standing.next_try_at is None:
        return standing
    if now < standing.next_try_at:
        return None
    if standing.probe_until is not None and now < standing.probe_until:
        return None
    return replace(standing, probe_until=now + PROBE_LASTS)


def answered() -> Standing:
    """It said something: all is well, however it stood."""
    return CLOSED


def unanswered(
    standing: Standing, why: str, *, is_probe: bool, now: datetime, jitter: float
) -> Standing:
    """A call stayed without an answer.

    Args:
        is_probe: Whether it was the call that `asked` let through while the breaker was open.
        jitter: In [0, 1); takes away up to half of the wait.
    """
    if standing.is_open and not is_probe:
        return standing
    failures = standing.failures + 1
    counted = replace(
        standing, failures=failures, failing_since=standing.failing_since or now, last_error=why
    )
    if failures < OPENS_AFTER:
        return counted
    doublings = min(failures - OPENS_AFTER, _EXPONENT_CAP)
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0**doublings) * (1 - jitter / 2)
    return replace(counted, next_try_at=now + timedelta(seconds=wait), probe_until=None)
