"""The life of a job, in Cloudgene's numbers, which clients know.

A submitted job is WAITING (1) in the queue. A runner slot takes the job that has waited longest and
makes it RUNNING (2): its pipeline child validates, phases and imputes. While results are packed and
registered for download the job is EXPORTING (3). It ends as SUCCESS (4), as FAILED (5), by the
pipeline's own verdict or since the child crashed, or as CANCELED (6) by its user.

A server that starts finds the jobs that its predecessor left in the queue or running. Nobody works
on them any more, so they become DEAD (-1), and only from there may a user restart them: they go
back to WAITING, at the end of the queue.

Results do not stay for ever. Some time before they go, an ended job becomes SUCCESS_NOTIFIED (8) or
FAILED_NOTIFIED (9, failed and canceled alike): the files are still there, `deletedOn` says until
when. Then it is RETIRED (7): the files are gone. A job that its user deleted is DELETED (10) and no
longer shown.

`TRANSITIONS` is the one table; every change of state is a conditional update over it
(`operations.runs`, `operations.jobs`), so that two writers cannot both win. The database knows the
numbers by a CHECK constraint.
"""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final

__all__ = ["ACTIVE", "LISTED", "TRANSITIONS", "State", "sources"]


class State(IntEnum):
    DEAD = -1
    WAITING = 1
    RUNNING = 2
    EXPORTING = 3
    SUCCESS = 4
    FAILED = 5
    CANCELED = 6
    RETIRED = 7
    SUCCESS_NOTIFIED = 8
    FAILED_NOTIFIED = 9
    DELETED = 10


TRANSITIONS: Final[Mapping[State, frozenset[State]]] = MappingProxyType(
    {
        State.WAITING: frozenset({State.RUNNING, State.CANCELED, State.DEAD}),
        State.RUNNING: frozenset({State.EXPORTING, State.FAILED, State.CANCELED, State.DEAD}),
        State.EXPORTING: frozenset({State.SUCCESS, State.FAILED, State.CANCELED, State.DEAD}),
        State.DEAD: frozenset({State.WAITING, State.RETIRED, State.DELETED}),
        State.SUCCESS: frozenset({State.SUCCESS_NOTIFIED, State.RETIRED, State.DELETED}),
        State.FAILED: frozenset({State.FAILED_NOTIFIED, State.RETIRED, State.DELETED}),
        State.CANCELED: frozenset({State.FAILED_NOTIFIED, State.RETIRED, State.DELETED}),
        State.SUCCESS_NOTIFIED: frozenset({State.RETIRED, State.DELETED}),
        State.FAILED_NOTIFIED: frozenset({State.RETIRED, State.DELETED}),
        State.RETIRED: frozenset({State.DELETED}),
        State.DELETED: frozenset(),
    }
)

ACTIVE: Final = frozenset({State.WAITING, State.RUNNING, State.EXPORTING})
LISTED: Final = frozenset(State) - {State.DELETED}


def sources(target: State) -> frozenset[State]:
    """The states from which a job may become `target`."""
    return frozenset(state for state, targets in TRANSITIONS.items() if target in targets)
