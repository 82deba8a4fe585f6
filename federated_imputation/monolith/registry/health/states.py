"""How long it is believed what a check of a service found. Plain decisions.

The story. A service is **checked** by a call that needs no credential (`apps.federation.probing`).
What came of it is believed for a while: that it is up for 15 minutes; that it is not for a minute
when a person asks, and for 10 seconds when the platform does. Then who asks next makes a new check,
and everybody who asks meanwhile waits for that one. Whoever forces a check makes one at once, but
never within 10 seconds of the one before: that is also the most a service can be troubled by all
people together. Beat checks each service again before the news gets old, and one that is down each
minute; each at a time of its own, so that they do not come together.

Where background checks are off, only services on the same machine are checked, by whoever asks.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address
from typing import Any, Final, Self
from urllib.parse import urlsplit

from apps.federation.probing import Finding, Status

__all__ = [
    "CLAIM_LASTS",
    "NOT_CHECKED",
    "OFFLINE_FOR",
    "OFFLINE_FOR_SYSTEM",
    "ONLINE_FOR",
    "REST",
    "Asker",
    "State",
    "believed_for",
    "is_believed",
    "is_loopback",
    "next_check_after",
]

NOT_CHECKED: Final = "not checked"
ONLINE_FOR: Final = timedelta(minutes=15)
OFFLINE_FOR: Final = timedelta(seconds=60)
OFFLINE_FOR_SYSTEM: Final = timedelta(seconds=10)
# Between two checks of one service, whoever wants them.
REST: Final = timedelta(seconds=10)
# Longer than any check; after it, that of a process that died is nobody's.
CLAIM_LASTS: Final = timedelta(seconds=30)
_SOONER: Final = 0.3


class Asker(StrEnum):
    USER = "user"
    SYSTEM = "system"


@dataclass(frozen=True, kw_only=True)
class State:
    """What the last check of a service found.

    Attributes:
        subject: Which address was asked as what; a service that has another one now was not asked.
        response_time_ms: `None` without an answer.
        error: '' when nothing went wrong.
        since: When the service was found in this status first.
    """

    subject: str
    status: str
    message: str
    test_url: str
    response_time_ms: float | None
    error: str
    checked_at: datetime
    since: datetime

    @classmethod
    def of(
        cls, finding: Finding, *, subject: str, before: "State | None", checked_at: datetime
    ) -> Self:
        """The state that `finding` makes of the one `before`."""
        lasts = before is not None and (before.subject, before.status) == (subject, finding.status)
        return cls(
            subject=subject,
            status=finding.status.value,
            message=finding.message,
            test_url=finding.test_url,
            response_time_ms=finding.response_time_ms,
            error=finding.error,
            checked_at=checked_at,
            since=before.since if before is not None and lasts else checked_at,
        )

    @classmethod
    def from_json(cls, value: Any) -> "State | None":
        """The state that `to_json` wrote; `None` for anything else."""
        if not isinstance(value, Mapping):
            return None
        try:
            times = {name: datetime.fromisoformat(value[name]) for name in ("checked_at", "since")}
            return cls(**{**value, **times})
        except (KeyError, TypeError, ValueError):
            return None

    def to_json(self) -> dict[str, Any]:
        times = {"checked_at": self.checked_at.isoformat(), "since": self.since.isoformat()}
        return {**asdict(self), **times}


def believed_for(status: str, *, by: Asker) -> timedelta:
    """How long a check with this result counts for who asks."""
    if status == Status.HEALTHY:
        return ONLINE_FOR
    return OFFLINE_FOR if by is Asker.USER else OFFLINE_FOR_SYSTEM


def is_believed(state: State, *, by: Asker, now: datetime) -> bool:
    """Whether the state still counts at `now`."""
    return now < state.checked_at + believed_for(state.status, by=by)


def next_check_after(status: str, *, now: datetime, jitter: float) -> datetime:
    """When beat checks again: before people would have to wait for it.

    Args:
        jitter: In [0, 1); takes away up to three tenths of the time.
    """
    return now + believed_for(status, by=Asker.USER) * (1 - _SOONER * jitter)


def is_loopback(url: str) -> bool:
    """Whether `url` names this machine by itself, so that no name server is needed to know."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
