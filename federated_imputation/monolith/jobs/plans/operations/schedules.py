"""Writes of schedules: what their owners ask for. What their times bring is in `executions`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import transaction

from apps.shared.api.origin import Origin
from federated_imputation.monolith.accounts import operations as accounts
from federated_imputation.monolith.accounts.queries import find_profile
from federated_imputation.monolith.jobs.checks import checked
from federated_imputation.monolith.jobs.operations import InvalidJob, NewJob, NotAllowedNow
from federated_imputation.monolith.jobs.plans import queries
from federated_imputation.monolith.jobs.plans.models import JobTemplate, ScheduledJob
from federated_imputation.monolith.jobs.plans.operations.templates import settings_of
from federated_imputation.monolith.jobs.plans.recurrence import Recurrence, Rhythm

__all__ = [
    "NewSchedule",
    "create_schedule",
    "delete_schedule",
    "edit_schedule",
    "pause_schedule",
    "recurrence_of",
    "resume_schedule",
]

_FURTHEST: Final = timedelta(days=3660)
_PAUSED: Final = "Paused."
_WHEN: Final = frozenset({"schedule_type", "scheduled_time", "time_zone", "recurrence_interval"})
_WHAT: Final = frozenset({"template", "genotype_file"})


@dataclass(frozen=True, kw_only=True)
class NewSchedule:
    """What a user asks for.

    Attributes:
        template: One that the user may see.
        genotype_file: The id of a file of the user's own.
        scheduled_time: Aware.
        time_zone: Its IANA name; '' for that of the user's profile.
        max_executions: `None` for no end.
        user_token: Kept as the user's token at the service; '' when it brings none.
    """

    name: str
    template: JobTemplate
    genotype_file: UUID
    schedule_type: str
    scheduled_time: datetime
    description: str = ""
    time_zone: str = ""
    recurrence_interval: int = 1
    max_executions: int | None = None
    user_token: str = field(default="", repr=False)


@transaction.atomic
def create_schedule(
    *, user_id: int, new: NewSchedule, origin: Origin, now: datetime
) -> ScheduledJob:
    """Keep when a template is to be sent with a file.

    Raises:
        InvalidJob: Something does not fit, or a job of it would be refused now; nothing was stored.
    """
    schedule = ScheduledJob(user_id=user_id, created_at=now)
    _write(schedule, vars(new), now=now)
    schedule.next_execution = recurrence_of(schedule).after(now)
    schedule.is_active = True
    schedule.save()
    _audit("create_schedule", schedule, origin=origin, now=now)
    return schedule


@transaction.atomic
def edit_schedule(
    schedule_id: UUID, *, changes: Mapping[str, Any], origin: Origin, now: datetime
) -> ScheduledJob:
    """Change what `changes` names, by the names of `NewSchedule`; its next time follows.

    A schedule that is not active stays so until it is resumed.

    Raises:
        InvalidJob: Something would not fit; nothing changes.
        ScheduledJob.DoesNotExist: Somebody deleted it meanwhile.
    """
    schedule = _locked(schedule_id)
    _write(schedule, changes, now=now)
    if schedule.is_active and not _WHEN.isdisjoint(changes):
        schedule.next_execution = _next(schedule, now)
    schedule.save()
    _audit("update_schedule", schedule, origin=origin, now=now, fields=sorted(changes))
    return schedule


@transaction.atomic
def pause_schedule(schedule_id: UUID, *, origin: Origin, now: datetime) -> ScheduledJob:
    """Let no time of it come until it is resumed.

    Raises:
        NotAllowedNow: It is not active.
        ScheduledJob.DoesNotExist: Somebody deleted it meanwhile.
    """
    schedule = _locked(schedule_id)
    if not schedule.is_active:
        raise NotAllowedNow("This schedule is not active.")
    schedule.is_active = False
    schedule.next_execution = None
    schedule.inactive_because = _PAUSED
    schedule.updated_at = now
    schedule.save()
    _audit("pause_schedule", schedule, origin=origin, now=now)
    return schedule


@transaction.atomic
def resume_schedule(schedule_id: UUID, *, origin: Origin, now: datetime) -> ScheduledJob:
    """Let its times come again, from the next one on; what passed meanwhile is not made up for.

    Raises:
        NotAllowedNow: It is active, or has no time left.
        ScheduledJob.DoesNotExist: Somebody deleted it meanwhile.
    """
    schedule = _locked(schedule_id)
    if schedule.is_active:
        raise NotAllowedNow("This schedule is active.")
    most = schedule.max_executions
    if most is not None and schedule.execution_count >= most:
        raise NotAllowedNow("It ran as often as it should; raise max_executions first.")
    schedule.next_execution = _next(schedule, now)
    if schedule.next_execution is None:
        raise NotAllowedNow("Its time is over; change scheduled_time first.")
    schedule.is_active = True
    schedule.inactive_because = ""
    schedule.refusals_in_a_row = 0
    schedule.updated_at = now
    schedule.save()
    _audit("resume_schedule", schedule, origin=origin, now=now)
    return schedule


@transaction.atomic
def delete_schedule(schedule_id: UUID, *, origin: Origin, now: datetime) -> None:
    """Delete a schedule and its history; the jobs that it made stay.

    Raises:
        ScheduledJob.DoesNotExist: Somebody was first.
    """
    schedule = _locked(schedule_id)
    _audit("delete_schedule", schedule, origin=origin, now=now)
    schedule.delete()


def recurrence_of(schedule: ScheduledJob) -> Recurrence:
    """The times of a schedule."""
    return Recurrence(
        rhythm=Rhythm(schedule.schedule_type),
        first=schedule.scheduled_time,
        interval=schedule.recurrence_interval,
        zone=ZoneInfo(schedule.time_zone),
    )


def _locked(schedule_id: UUID) -> ScheduledJob:
    return ScheduledJob.objects.select_for_update().get(pk=schedule_id)


def _next(schedule: ScheduledJob, now: datetime) -> datetime | None:
    """The first time that is neither past nor answered, whatever clock answered it."""
    return recurrence_of(schedule).after(max(now, queries.last_due(schedule.pk) or now))


def _write(schedule: ScheduledJob, changes: Mapping[str, Any], *, now: datetime) -> None:
    """Set what `changes` names.

    Raises:
        InvalidJob: With everything that is wrong.
    """
    values = dict(changes)
    token = values.pop("user_token", "")
    errors: dict[str, list[str]] = {}
    if "time_zone" in values:
        values["time_zone"] = values["time_zone"] or _zone_of_profile(schedule.user_id)
        if not _is_zone(values["time_zone"]):
            errors["time_zone"] = [
                f'"{values["time_zone"]}" is not a known time zone; use one like Africa/Bamako.'
            ]
    moment = values.get("scheduled_time")
    if moment is not None and moment != schedule.scheduled_time and not now < moment:
        errors["scheduled_time"] = ["This time has passed; give one that is to come."]
    elif moment is not None and moment > now + _FURTHEST:
        errors["scheduled_time"] = ["At most ten years ahead."]
    most = values.get("max_executions")
    if most is not None and most <= schedule.execution_count:
        errors["max_executions"] = [
            f"It ran {schedule.execution_count} times already; give a larger number."
        ]
    if "genotype_file" in values:
        values["genotype_file_id"] = values.pop("genotype_file")
    for name, value in values.items():
        setattr(schedule, name, value)
    if token or not _WHAT.isdisjoint(changes):
        errors |= _problems_of_a_job(schedule, token=token, now=now)
    if errors:
        raise InvalidJob(errors)
    if token and schedule.template is not None:
        accounts.store_credential(
            service_id=schedule.template.service_id,
            user_id=schedule.user_id,
            kind=accounts.CredentialKind.API_TOKEN,
            secret=token,
            now=now,
        )
    schedule.updated_at = now


def _problems_of_a_job(
    schedule: ScheduledJob, *, token: str, now: datetime
) -> dict[str, list[str]]:
    """Why a job of this schedule would be refused now, by the fields of a schedule."""
    if schedule.template is None:
        return {"template": ["The template was deleted; name another one."]}
    new = NewJob(
        name=schedule.name,
        genotype_file=schedule.genotype_file_id,
        user_token=token,
        **settings_of(schedule.template),
    )
    try:
        checked(new, user_id=schedule.user_id, now=now)
    except InvalidJob as refused:
        problems: dict[str, list[str]] = {}
        fields = {"genotype_file": "genotype_file", "user_token": "user_token"}
        fields["input_file"] = "genotype_file"  # there is none
        for name, sentences in refused.errors.items():
            problems.setdefault(fields.get(name, "template"), []).extend(sentences)
        return problems
    return {}


def _zone_of_profile(user_id: int) -> str:
    profile = find_profile(user_id=user_id)
    return profile.timezone if profile else "UTC"


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _audit(
    action: str,
    schedule: ScheduledJob,
    *,
    origin: Origin,
    now: datetime,
    fields: list[str] | None = None,
) -> None:
    accounts.record_audit(
        action=action,
        user_id=schedule.user_id,
        resource_type="scheduled_job",
        resource_id=str(schedule.pk),
        details={"fields": fields} if fields else None,
        origin=origin,
        now=now,
    )
