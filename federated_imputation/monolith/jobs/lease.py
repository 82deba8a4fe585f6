"""Finding the jobs that are due, and holding one while working on it (`apps.shared.leases`).

Most steps of most jobs are **looks**: a job that its service has, of which nothing is wanted but
how it stands. They are announced, claimed and, when they bring nothing new, written down many at
a time. Every other step is announced and held by itself.
"""

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, F, Q, prefetch_related_objects

from apps.shared.leases import LEASE, Claim, Hold, LeaseLost, Leases, held
from federated_imputation.monolith.jobs.models import JobWork

__all__ = [
    "LEASE",
    "LOOKS_AT_ONCE",
    "LOOK_LEASE",
    "Claim",
    "Hold",
    "LeaseLost",
    "Quiet",
    "claim",
    "claim_due",
    "claim_due_looks",
    "claim_looks",
    "give_back",
    "held",
    "keep_quiet",
]

_AT_ONCE: Final = 200
LOOKS_AT_ONCE: Final = 100
# Of one service, so that a slow one does not take every thread.
_LOOKS_UNDER_WAY: Final = 4 * LOOKS_AT_ONCE
_LOOKS_A_TICK: Final = 1000
# Longer than a call may take, since nothing renews it.
LOOK_LEASE: Final = timedelta(seconds=150)
_IS_LOOK: Final = Q(
    phase=JobWork.Phase.FOLLOW,
    failures=0,
    cancel_requested_at__isnull=True,
    lease_until__isnull=True,
)


def _due(now: datetime) -> Q:
    return Q(next_poll_at__lte=now)


def _due_alone(now: datetime) -> Q:
    return Q(next_poll_at__lte=now) & ~_IS_LOOK


_JOBS: Final = Leases(table=JobWork, due=_due, order=("next_poll_at", "job_id"))
_STEPS: Final = Leases(table=JobWork, due=_due_alone, order=("next_poll_at", "job_id"))


def claim_due(*, now: datetime, most: int = _AT_ONCE) -> list[uuid.UUID]:
    """Jobs with a step of their own that are due, free and not announced lately.

    They count as announced from now on. Ticks that overlap get different jobs. A job whose message
    is lost is due again after `settings.JOB_DISPATCH_SECONDS`.
    """
    announced_for = timedelta(seconds=settings.JOB_DISPATCH_SECONDS)
    return _STEPS.claim_due(now=now, most=most, announced_for=announced_for)


@transaction.atomic
def claim_due_looks(*, now: datetime, most: int = _LOOKS_A_TICK) -> list[list[uuid.UUID]]:
    """Jobs that are due for a look, in batches of one service each; else as `claim_due`.

    A service at which enough are under way comes when they are done, and the jobs of others before
    the rest of its own.
    """
    unannounced = Q(dispatched_until__isnull=True) | Q(dispatched_until__lte=now)
    waiting = JobWork.objects.filter(_IS_LOOK, unannounced, next_poll_at__lte=now)
    if not waiting.exists():
        return []  # as most ticks find it, at the least cost
    under_way = _looks_under_way(now)
    full = [service_id for service_id, many in under_way.items() if many >= _LOOKS_UNDER_WAY]
    due = list(
        waiting.select_for_update(skip_locked=True, of=("self",))
        .exclude(job__service_id__in=full)
        .order_by("next_poll_at", "job_id")
        .values_list("job__service_id", "job_id")[:most]
    )
    if not due:
        return []
    by_service: dict[int, list[uuid.UUID]] = {}
    for service_id, job_id in due:
        by_service.setdefault(service_id, []).append(job_id)
    batches: list[list[uuid.UUID]] = []
    for service_id, job_ids in by_service.items():
        chosen = job_ids[: _LOOKS_UNDER_WAY - under_way[service_id]]
        batches += [
            chosen[start : start + LOOKS_AT_ONCE] for start in range(0, len(chosen), LOOKS_AT_ONCE)
        ]
    until = now + timedelta(seconds=settings.JOB_DISPATCH_SECONDS)
    announced = [job_id for batch in batches for job_id in batch]
    JobWork.objects.filter(job_id__in=announced).update(dispatched_until=until)
    return batches


def _looks_under_way(now: datetime) -> Counter[int]:
    """Jobs that are announced for a look, or looked at, by service."""
    busy = JobWork.objects.filter(
        Q(lease_until__gt=now) | Q(dispatched_until__gt=now),
        phase=JobWork.Phase.FOLLOW,
        next_poll_at__isnull=False,
    )
    counted = busy.order_by().values_list("job__service_id").annotate(many=Count("pk"))
    return Counter(dict(counted))


def claim(job_id: uuid.UUID, *, now: datetime) -> Claim | None:
    """Take the job if it is due and free, else `None`."""
    return _JOBS.claim(job_id, now=now)


@transaction.atomic
def claim_looks(job_ids: Iterable[uuid.UUID], *, now: datetime) -> list[JobWork]:
    """Take those of the jobs that are due for a look and free, with their jobs and services."""
    rows = list(
        JobWork.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("job")
        .filter(_IS_LOOK, next_poll_at__lte=now, job_id__in=list(job_ids))
        .order_by("next_poll_at", "job_id")
    )
    # One service object for all of its jobs, since a batch is of one.
    prefetch_related_objects([row.job for row in rows], "service")
    until = now + LOOK_LEASE
    JobWork.objects.filter(job_id__in=[row.job_id for row in rows]).update(
        fence=F("fence") + 1, lease_until=until, dispatched_until=None
    )
    for row in rows:
        row.fence += 1
        row.lease_until, row.dispatched_until = until, None
    return rows


@dataclass(frozen=True, kw_only=True)
class Quiet:
    """A look under `fence` that brought nothing new."""

    job_id: uuid.UUID
    fence: int
    quiet_polls: int
    next_poll_at: datetime


def keep_quiet(looks: Sequence[Quiet], *, now: datetime) -> None:
    """Write many quiet looks down, in one statement; those whose lease was lost are left out.

    A cancellation that was asked for meanwhile is not kept waiting.
    """
    if not looks:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE imputation_jobwork AS work
            SET quiet_polls = look.quiet_polls, lease_until = NULL, lost_steps = 0,
                next_poll_at = CASE WHEN work.cancel_requested_at IS NULL
                                    THEN look.next_poll_at ELSE %s END
            FROM unnest(%s::uuid[], %s::bigint[], %s::int[], %s::timestamptz[])
                AS look (job_id, fence, quiet_polls, next_poll_at)
            WHERE work.job_id = look.job_id AND work.fence = look.fence
                AND work.lease_until IS NOT NULL
            """,
            [
                now,
                [look.job_id for look in looks],
                [look.fence for look in looks],
                [look.quiet_polls for look in looks],
                [look.next_poll_at for look in looks],
            ],
        )


def give_back(claimed: Iterable[tuple[uuid.UUID, int]]) -> None:
    """Let go of jobs, given with their fences, that were not looked at; they stay due."""
    left = dict(claimed)
    if not left:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE imputation_jobwork AS work SET lease_until = NULL
            FROM unnest(%s::uuid[], %s::bigint[]) AS claimed (job_id, fence)
            WHERE work.job_id = claimed.job_id AND work.fence = claimed.fence
            """,
            [list(left), list(left.values())],
        )
