"""The deletion of a user, a service, a panel or a job, through all domains that have rows of it.

`deletions.models` tells the story. A step asks one domain, may be done again at any time, and holds
no lock while it asks another; so a kill at any statement costs nothing but the time of the lease.
The order matters: schedules go first, so that they bring no more jobs; external jobs end while the
tokens are there that can end them; and files go before the rows of the jobs that lead to them.
What came in while the steps were under way (a job whose upload took long) is seen by the last step,
under the lock of the subject's row: it goes back to the first.

A service that does not answer holds a deletion up, so that nothing runs there unseen, for up to
`LONGEST_WAIT`. Then its jobs are given up: each is a row of the audit log, with the job's number at
the service.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from django.db import transaction
from django.utils import timezone

from apps.shared.leases import Claim, Hold, LeaseLost, held
from federated_imputation.monolith.accounts import operations as accounts
from federated_imputation.monolith.deletions import operations as deletions
from federated_imputation.monolith.deletions.queries import Kind, Subject
from federated_imputation.monolith.files import operations as files
from federated_imputation.monolith.jobs import operations as jobs
from federated_imputation.monolith.jobs import queries as job_queries
from federated_imputation.monolith.jobs.plans.operations.erasure import forget_plans
from federated_imputation.monolith.registry import operations as registry
from federated_imputation.monolith.registry import queries as registry_queries

__all__ = ["LONGEST_WAIT", "STEPS", "Came", "Saga", "Step", "advance"]

logger = logging.getLogger(__name__)
LONGEST_WAIT: Final = timedelta(days=7)
_ASK_AGAIN: Final = timedelta(seconds=5)
_ASK_AGAIN_AT_LAST: Final = timedelta(minutes=5)


class Came(Enum):
    """What came of a step."""

    DONE = "done"
    WAITS = "waits"  # for a service to end a job
    AGAIN = "again"  # something came in; from the first step
    OVER = "over"


@dataclass(frozen=True, kw_only=True)
class Saga:
    """One deletion in the hands of one worker."""

    subject: Subject
    asked_by: int | None
    begun_at: datetime
    claim: Claim
    hold: Hold
    clock: Callable[[], datetime]


Step = tuple[str, Callable[[Saga], Came]]


def _forget_plans(saga: Saga) -> Came:
    if saga.subject.kind is not Kind.JOB:
        forget_plans(saga.subject)
    return Came.DONE


def _end_jobs(saga: Saga) -> Came:
    now = saga.clock()
    left = jobs.end_jobs_of(
        saga.subject,
        asked_by=saga.asked_by,
        gives_up=now - saga.begun_at >= LONGEST_WAIT,
        now=now,
    )
    return Came.WAITS if left else Came.DONE


def _forget_jobs(saga: Saga) -> Came:
    while job_ids := job_queries.jobs_over(saga.subject):
        for job_id in job_ids:
            saga.hold.check()
            files.forget_results(job_id=job_id)
            accounts.forget_job_secrets(job_id=job_id)
            jobs.forget_job(job_id)
    return Came.DONE


def _forget_files(saga: Saga) -> Came:
    match saga.subject:
        case Subject(kind=Kind.USER, id=int() as user_id):
            while files.forget_genotypes(user_id=user_id):
                saga.hold.check()
        case Subject(kind=Kind.SERVICE, id=int() as service_id):
            files.forget_sites(panel_ids=registry_queries.panel_ids(service_id=service_id))
        case Subject(kind=Kind.PANEL, id=int() as panel_id):
            files.forget_sites(panel_ids=[panel_id])
    return Came.DONE


def _forget_rights(saga: Saga) -> Came:
    match saga.subject:
        case Subject(kind=Kind.USER, id=int() as user_id):
            accounts.forget_user_rights(user_id=user_id)
        case Subject(kind=Kind.SERVICE, id=int() as service_id):
            accounts.forget_service(service_id=service_id)
    return Came.DONE


@transaction.atomic
def _erase(saga: Saga) -> Came:
    def has_jobs() -> bool:
        return job_queries.has_jobs(saga.subject)

    is_gone = True
    match saga.subject:
        case Subject(kind=Kind.USER, id=int() as user_id):
            is_gone = accounts.erase_user(user_id, unless=has_jobs)
        case Subject(kind=Kind.SERVICE, id=int() as service_id):
            is_gone = registry.erase_service(service_id, unless=has_jobs)
        case Subject(kind=Kind.PANEL, id=int() as panel_id):
            is_gone = registry.erase_panel(panel_id, unless=has_jobs)
        case Subject(kind=Kind.JOB):
            is_gone = not has_jobs()
    if not is_gone:
        return Came.AGAIN
    deletions.end(saga.claim)
    return Came.OVER


STEPS: Final[Sequence[Step]] = (
    ("forget_plans", _forget_plans),
    ("end_jobs", _end_jobs),
    ("forget_jobs", _forget_jobs),
    ("forget_files", _forget_files),
    ("forget_rights", _forget_rights),
    ("erase", _erase),
)


def advance(
    deletion_id: int,
    *,
    clock: Callable[[], datetime] = timezone.now,
    steps: Sequence[Step] = STEPS,
) -> bool:
    """Go on with a deletion as far as it goes, if it is due and nobody else does.

    May be called twice, late or for a deletion that is over: the row decides. An unexpected
    exception rises; the lease then runs out and the step is done again.

    Returns:
        Whether nothing is left of the subject.
    """
    taken = deletions.claim(deletion_id, now=clock())
    if taken is None:
        return False
    claim, row = taken
    with held(claim, clock=clock) as hold:
        saga = Saga(
            subject=Subject.of(row),
            asked_by=row.asked_by,
            begun_at=row.created_at,
            claim=claim,
            hold=hold,
            clock=clock,
        )
        try:
            return _run(saga, dict(steps), first=row.step)
        except LeaseLost:
            logger.warning("Another worker took over the deletion of %s.", saga.subject)
            return False


def _run(saga: Saga, steps: dict[str, Callable[[Saga], Came]], *, first: str) -> bool:
    names = [*steps]
    at = names.index(first) if first in steps else 0
    while True:
        saga.hold.check()
        match steps[names[at]](saga):
            case Came.OVER:
                logger.info("The deletion of %s is over.", saga.subject)
                return True
            case Came.WAITS:
                now = saga.clock()
                since = now - saga.begun_at
                pause = min(max(_ASK_AGAIN, since / 10), _ASK_AGAIN_AT_LAST)
                deletions.wait(saga.claim, until=now + pause)
                return False
            case Came.AGAIN:
                at = 0
            case Came.DONE:
                at += 1
        deletions.go_on(saga.claim, step=names[at])
