"""What the times of schedules bring.

The tick announces what is due (`claim_due_schedules`), and a worker executes it: one transaction
locks the schedule, makes the job, appends the execution and moves the schedule on. A worker that
dies before the end leaves nothing behind but a file that is swept, and the time is due again.
"""

from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from rest_framework.exceptions import PermissionDenied

from apps.shared.api.origin import Origin
from apps.shared.leases import Leases
from federated_imputation.monolith.accounts.operations import record_audit
from federated_imputation.monolith.accounts.queries import find_rights
from federated_imputation.monolith.jobs import access
from federated_imputation.monolith.jobs import operations as jobs
from federated_imputation.monolith.jobs.models import ImputationJob
from federated_imputation.monolith.jobs.operations import InvalidJob, NewJob, NotAllowedNow
from federated_imputation.monolith.jobs.plans.decisions import following
from federated_imputation.monolith.jobs.plans.models import (
    LONGEST_NAME,
    MOST_REFUSALS,
    ScheduledExecution,
    ScheduledJob,
)
from federated_imputation.monolith.jobs.plans.operations.schedules import recurrence_of
from federated_imputation.monolith.jobs.plans.operations.templates import count_use, settings_of

__all__ = ["claim_due_schedules", "execute_due", "run_now"]

_AT_ONCE: Final = 100
_LONGEST_MESSAGE: Final = 2000
_Outcome = ScheduledExecution.Outcome


def _due(now: datetime) -> Q:
    return Q(next_execution__lte=now)


_SCHEDULES: Final = Leases(table=ScheduledJob, due=_due, order=("next_execution", "id"))


class Refused(Exception):
    """Raised with the sentence that says why the time of a schedule brings no job."""


class _CreateJob(Protocol):
    def __call__(
        self, *, user_id: int, new: NewJob, origin: Origin, now: datetime
    ) -> ImputationJob: ...


def claim_due_schedules(*, now: datetime, most: int = _AT_ONCE) -> list[UUID]:
    """Schedules that are due and not announced lately; they count as announced from now on."""
    announced_for = timedelta(seconds=settings.JOB_DISPATCH_SECONDS)
    return _SCHEDULES.claim_due(now=now, most=most, announced_for=announced_for)


@transaction.atomic
def execute_due(
    schedule_id: UUID, *, now: datetime, create: _CreateJob = jobs.create_job
) -> ScheduledExecution | None:
    """Do what a schedule is due for; `None` when it is not, or another worker is at it.

    Args:
        create: Makes the job.
    """
    rows = ScheduledJob.objects.select_for_update(skip_locked=True, of=("self",))
    found = rows.select_related("user", "template").filter(_due(now), pk=schedule_id).first()
    if found is None or found.next_execution is None:
        return None
    due_at = found.next_execution
    missed = recurrence_of(found).count_between(due_at, now)
    execution = _execute(found, due_at=due_at, missed=missed, now=now, create=create)
    submitted = execution.outcome == _Outcome.SUBMITTED
    found.refusals_in_a_row = 0 if submitted else found.refusals_in_a_row + 1
    then = following(
        recurrence_of(found),
        now=now,
        executions=found.execution_count,
        most=found.max_executions,
        refusals=found.refusals_in_a_row,
        most_refusals=MOST_REFUSALS,
        refusal="" if submitted else execution.message,
    )
    found.next_execution = then.next_execution
    found.is_active = then.next_execution is not None
    found.inactive_because = then.because
    found.dispatched_until = None
    found.save()
    return execution


@transaction.atomic
def run_now(schedule_id: UUID, *, origin: Origin, now: datetime) -> ScheduledExecution:
    """Execute a schedule once, whether it is active or not; its own times stay.

    The execution counts for `max_executions`, and a refusal for nothing but the history.

    Raises:
        NotAllowedNow: It ran as often as it should.
        ScheduledJob.DoesNotExist: Somebody deleted it meanwhile.
    """
    rows = ScheduledJob.objects.select_for_update(of=("self",))
    schedule = rows.select_related("user", "template").get(pk=schedule_id)
    most = schedule.max_executions
    if most is not None and schedule.execution_count >= most:
        raise NotAllowedNow("It ran as often as it should; raise max_executions first.")
    record_audit(
        action="run_schedule",
        user_id=schedule.user_id,
        resource_type="scheduled_job",
        resource_id=str(schedule_id),
        origin=origin,
        now=now,
    )
    execution = _execute(
        schedule, due_at=now, missed=0, now=now, create=jobs.create_job, by_hand=origin
    )
    if most is not None and schedule.execution_count >= most:
        schedule.next_execution = None
        schedule.is_active = False
        schedule.inactive_because = f"It ran {most} times, as it should."
    schedule.save()
    return execution


def _execute(
    schedule: ScheduledJob,
    *,
    due_at: datetime,
    missed: int,
    now: datetime,
    create: _CreateJob,
    by_hand: Origin | None = None,
) -> ScheduledExecution:
    """Make the job and append what came of it; the caller saves the schedule.

    Args:
        by_hand: Where the person asks from who does not wait for the schedule's time.
    """
    job, message = None, ""
    try:
        with transaction.atomic():
            job = _submit(schedule, due_at=due_at, now=now, create=create, by_hand=by_hand)
    except Refused as refused:
        message = str(refused)
    else:
        schedule.execution_count += 1
        schedule.last_execution = now
        if missed:
            message = (
                f"Nothing ran when it was due; {missed} more of its times passed until now, and "
                "this one job stands for them all."
            )
    schedule.updated_at = now
    return ScheduledExecution.objects.create(
        schedule=schedule,
        due_at=due_at,
        executed_at=now,
        outcome=_Outcome.REFUSED if job is None else _Outcome.SUBMITTED,
        job=job,
        message=message[:_LONGEST_MESSAGE],
        missed=missed,
        is_by_hand=by_hand is not None,
    )


def _submit(
    schedule: ScheduledJob,
    *,
    due_at: datetime,
    now: datetime,
    create: _CreateJob,
    by_hand: Origin | None,
) -> ImputationJob:
    """Make the job as if its owner asked for it now.

    Raises:
        Refused: As the owner would be.
    """
    template = schedule.template
    if not schedule.user.is_active:
        raise Refused("The account is deactivated.")
    if template is None:
        raise Refused("The template was deleted. Name another one.")
    if template.user_id != schedule.user_id and not template.is_public:
        raise Refused("The template is no longer shared by its owner. Name another one.")
    if schedule.genotype_file_id is None:
        raise Refused("The genotype file was deleted. Name another one.")
    local = due_at.astimezone(ZoneInfo(schedule.time_zone))
    when = f" {local:%Y-%m-%d %H:%M}"
    new = NewJob(
        name=schedule.name[: LONGEST_NAME - len(when)] + when,
        genotype_file=schedule.genotype_file_id,
        **settings_of(template),
    )
    origin = by_hand or Origin(address=None, user_agent=f"schedule {schedule.pk}")
    try:
        access.refuse_submission(
            find_rights(schedule.user, now=now), service_id=template.service_id
        )
        job = create(user_id=schedule.user_id, new=new, origin=origin, now=now)
    except InvalidJob as refused:
        raise Refused(" ".join(s for each in refused.errors.values() for s in each)) from None
    except PermissionDenied as refused:
        raise Refused(str(refused.detail)) from None
    count_use(template.pk)
    return job
