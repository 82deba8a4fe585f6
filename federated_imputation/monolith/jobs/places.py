"""Who may transfer files with a service now: a few jobs at once, and no user before the others.

The story. Sending a study and fetching a file hold a connection for minutes, so each service has a
few **places** for them (`most_transfers` of its `api_config`). A job that is about to send or fetch
asks for one. It gets it, or it **waits**: its row says since when, and it comes back later. A job
that is done with its place, or with one file, gives it back and wakes those who are next. Next is
whose user holds the fewest places there, then who waits longest. A worker that dies gives its
place back when its lease ends.

The decision is `admitted`, a plain function; the standing of the service is locked
while it is applied, so that several workers together never give away more places than there are.
"""

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from apps.shared.leases import Claim, LeaseLost
from federated_imputation.monolith.jobs.models import JobWork
from federated_imputation.monolith.registry.operations import lock_standing

if TYPE_CHECKING:
    from federated_imputation.monolith.registry.models import ImputationService

__all__ = ["Waiting", "admitted", "most_transfers", "take", "wait_seconds", "wake_next"]

DEFAULT_MOST: Final = 4
_MOST_OF_ALL: Final = 64
_SHORTEST_WAIT: Final = 15.0
_LONGEST_WAIT: Final = 300.0


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A job that waits for a place since `since`."""

    job_id: UUID
    user_id: int
    since: datetime


def admitted(
    *, holding: Mapping[int, int], waiting: Sequence[Waiting], most: int
) -> tuple[UUID, ...]:
    """The jobs that get the free places, in that order.

    Args:
        holding: Places that each user holds now.
        waiting: Who waits; in any order.
        most: Places that the service has.
    """
    queues: dict[int, list[Waiting]] = {}
    for each in sorted(waiting, key=lambda w: (w.since, w.job_id), reverse=True):
        queues.setdefault(each.user_id, []).append(each)
    heap = [
        (holding.get(user_id, 0), queue[-1].since, queue[-1].job_id, user_id)
        for user_id, queue in queues.items()
    ]
    heapq.heapify(heap)
    chosen: list[UUID] = []
    free = most - sum(holding.values())
    while heap and len(chosen) < free:
        held, _, job_id, user_id = heapq.heappop(heap)
        chosen.append(job_id)
        queues[user_id].pop()
        if queues[user_id]:
            following = queues[user_id][-1]
            heapq.heappush(heap, (held + 1, following.since, following.job_id, user_id))
    return tuple(chosen)


def most_transfers(service: "ImputationService") -> int:
    """How many places a service has: `api_config["most_transfers"]`, 1 to 64, by default 4."""
    told: Any = service.api_config.get("most_transfers", DEFAULT_MOST)
    if isinstance(told, bool) or not isinstance(told, int):
        return DEFAULT_MOST
    return min(max(told, 1), _MOST_OF_ALL)


def wait_seconds(waiting: int) -> float:
    """Seconds until a job that waits looks by itself, beside `waiting` others.

    It is woken when its turn comes, so this only catches the places of workers that died.
    """
    return min(max(_SHORTEST_WAIT, float(waiting)), _LONGEST_WAIT)


@transaction.atomic
def take(claim: Claim, *, service: "ImputationService", now: datetime) -> float | None:
    """Take a place for the job, or put it among those who wait.

    Returns:
        `None` when it has a place; else in how many seconds it should ask again.

    Raises:
        LeaseLost: Another worker has the job now.
    """
    lock_standing(service.pk)
    holding, waiting = _at(service.pk, now=now, but=claim.pk)
    mine = JobWork.objects.filter(pk=claim.pk, fence=claim.fence)
    found = mine.values("job__user_id", "place_wanted_at").first()
    if found is None:
        raise LeaseLost
    since = found["place_wanted_at"] or now
    me = Waiting(job_id=claim.pk, user_id=found["job__user_id"], since=since)
    if claim.pk in admitted(holding=holding, waiting=[*waiting, me], most=most_transfers(service)):
        mine.update(holds_place=True, place_wanted_at=None)
        return None
    mine.update(place_wanted_at=since)
    return wait_seconds(len(waiting))


def wake_next(*, service: "ImputationService", now: datetime) -> None:
    """Make those due whose turn it is, in the caller's transaction, after a place became free."""
    lock_standing(service.pk)
    holding, waiting = _at(service.pk, now=now)
    chosen = admitted(holding=holding, waiting=waiting, most=most_transfers(service))
    if chosen:
        sleeping = JobWork.objects.select_for_update(skip_locked=True).filter(
            _is_free(now), pk__in=chosen, next_poll_at__gt=now
        )
        JobWork.objects.filter(pk__in=list(sleeping.values_list("pk", flat=True))).update(
            next_poll_at=now
        )


def _at(
    service_id: int, *, now: datetime, but: UUID | None = None
) -> tuple[Counter[int], list[Waiting]]:
    """Places held at a service by user, and who waits there."""
    rows = JobWork.objects.filter(job__service_id=service_id).exclude(pk=but)
    holding = rows.filter(holds_place=True, lease_until__gt=now)
    waiting = rows.filter(place_wanted_at__isnull=False, holds_place=False)
    return (
        Counter(holding.values_list("job__user_id", flat=True)),
        [
            Waiting(job_id=job_id, user_id=user_id, since=since)
            for job_id, user_id, since in waiting.values_list(
                "pk", "job__user_id", F("place_wanted_at")
            )
        ],
    )


def _is_free(now: datetime) -> Q:
    return Q(lease_until__isnull=True) | Q(lease_until__lte=now)
