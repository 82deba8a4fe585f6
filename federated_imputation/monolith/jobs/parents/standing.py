"""How a parent stands, made of how its children stand. Plain functions; nothing of it is stored.

The story. A parent is **pending** while nothing of it was sent, **queued** once a child is on its
way, and **running** from the moment that one of them runs or is over, until all of them are over.
Then it is **completed** when every child is, **failed** when one failed, and **cancelled** when
none failed and one was cancelled. So a parent that is over stays so until somebody retries a child,
it never goes back while its children go on, and a parent that failed may well have children whose
results are there: `counts` tells how many.

The legacy rule called a parent failed as soon as one child was, while others still ran, and queued
for ever when one was cancelled.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from federated_imputation.monolith.jobs.states import FINAL, Status

__all__ = ["SETS_OF", "Standing", "derived", "standing"]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a parent stands.

    Attributes:
        progress: 0 to 100: the mean of the children's, rounded down.
        counts: How many children are in each status; 0 for one that none is in.
    """

    status: Status
    progress: int
    counts: Mapping[Status, int]


def derived(statuses: Collection[Status]) -> Status:
    """The status of a parent whose children have these; only which there are counts, not how many.

    Args:
        statuses: Of one child at least.
    """
    present = set(statuses)
    if present <= FINAL:
        worst = (Status.FAILED, Status.CANCELLED, Status.COMPLETED)
        return next(status for status in worst if status in present)
    if present & {Status.RUNNING, *FINAL}:
        return Status.RUNNING
    return Status.QUEUED if Status.QUEUED in present else Status.PENDING


def standing(children: Iterable[tuple[str, int]]) -> Standing:
    """How a parent stands, from the status and the progress (0 to 100) of each of its children."""
    told = [(Status(status), progress) for status, progress in children]
    counted = Counter(status for status, _ in told)
    return Standing(
        status=derived(counted),
        progress=sum(progress for _, progress in told) // len(told),
        counts={status: counted[status] for status in Status},
    )


def _sets() -> Iterable[frozenset[Status]]:
    for size in range(1, len(Status) + 1):
        yield from map(frozenset, combinations(Status, size))


# By status of a parent, every set of statuses that its children may have: the rule, for a query.
SETS_OF: Final[Mapping[Status, tuple[frozenset[Status], ...]]] = {
    status: tuple(each for each in _sets() if derived(each) is status) for status in Status
}
