"""Failures around a request that are no fault of it: they pass, and it may be sent again.

A lost connection to the database, its shutdown, a deadlock; a disk without room.
"""

from dataclasses import dataclass
from typing import Final

from django.db import InterfaceError, OperationalError

from apps.shared.durable import is_no_room

__all__ = ["NO_ROOM", "Passing", "passing"]

_RETRY_SECONDS: Final = 10


@dataclass(frozen=True, kw_only=True)
class Passing:
    """How such a failure is told.

    Attributes:
        status: Of the answer.
        title: A few words, for the head of a page and for the log.
        sentence: For the person who asked.
        retry_after: Seconds to wait before asking again.
    """

    status: int
    title: str
    sentence: str
    retry_after: int = _RETRY_SECONDS


NO_ROOM: Final = Passing(
    status=507,
    title="The disk is full",
    sentence="The disk of this server is full: nothing was stored. Try again later.",
    retry_after=300,
)
_NO_DATABASE: Final = Passing(
    status=503,
    title="The database does not answer",
    sentence="Not possible now: the database does not answer. Try again later.",
)


def passing(error: BaseException | None) -> Passing | None:
    """How to tell `error` when it passes; `None` for a mistake of ours, which does not.

    A wrong statement is such a mistake; so is any other `OSError`.
    """
    if isinstance(error, InterfaceError | OperationalError):
        return _NO_DATABASE
    return NO_ROOM if error is not None and is_no_room(error) else None
