"""The states of a job, and the only legal ways between them.

The story. A job is born **pending**: stored here, sent nowhere. A worker takes it up, and from
the moment that it *means* to send it the job is **queued**: on its way, refused for now by a busy
service, or waiting in the service's own queue. It is **running** while the service computes, and
while we fetch and check what it made; a service that restarts under a job puts it back to queued.
It is **completed** only when every result file lies here, whole and with its checksum; **failed**
when the service or we can say why not; **cancelled** when nothing was sent yet, or when the
service itself says that it stopped. These three are final for the machine. A person may take up a
failed or cancelled job again: it is pending once more, as a new attempt under a new tag, so that
no attempt is ever submitted twice. Nothing leads out of completed.

The words are the legacy ones. Every change of state, and every new thing a service says, is
appended as a `JobStatusUpdate` in the transaction that changes the row (`record` in
`jobs.history`); the row is what its events add up to.
"""

from enum import StrEnum
from typing import Final

__all__ = ["FINAL", "RETRYABLE", "TRANSITIONS", "IllegalTransition", "Status", "move"]


class Status(StrEnum):
    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


TRANSITIONS: Final[dict[Status, frozenset[Status]]] = {
    Status.PENDING: frozenset({Status.QUEUED, Status.FAILED, Status.CANCELLED}),
    Status.QUEUED: frozenset({Status.RUNNING, Status.FAILED, Status.CANCELLED}),
    Status.RUNNING: frozenset({Status.QUEUED, Status.COMPLETED, Status.FAILED, Status.CANCELLED}),
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset({Status.PENDING}),
    Status.CANCELLED: frozenset({Status.PENDING}),
}
FINAL: Final = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})
RETRYABLE: Final = frozenset({Status.FAILED, Status.CANCELLED})


class IllegalTransition(Exception):
    """Raised with the two states, of which the second cannot follow the first."""

    def __init__(self, before: Status, after: Status) -> None:
        super().__init__(f"A job that is {before} cannot become {after}.")
        self.before = before
        self.after = after


def move(before: Status, after: Status) -> Status:
    """`after`, when a job that is `before` may become (or stay) it.

    A final state may not even be repeated: what is over gets no further news.

    Raises:
        IllegalTransition: It may not.
    """
    stays = before is after and before not in FINAL
    if not stays and after not in TRANSITIONS[before]:
        raise IllegalTransition(before, after)
    return after
