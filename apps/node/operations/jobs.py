"""What users do with jobs: submit, cancel, restart, delete, download."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from django.db import transaction
from django.db.models import F

from apps.node import passwords, workspaces
from apps.node.models import Job, NodeStatus, Output, OutputFile, Step, User
from apps.node.refusals import Refusal
from apps.node.states import ACTIVE, State, sources

__all__ = [
    "STEPS",
    "DownloadsExhausted",
    "JobNotPending",
    "JobStillActive",
    "Submission",
    "TooManyJobs",
    "cancel_job",
    "delete_job",
    "refuse_above_limit",
    "restart_job",
    "set_maintenance",
    "spend_download",
    "submit_job",
]

STEPS: Final = ("Input Validation", "Quality Control", "Phasing and Imputation", "Summary")


class TooManyJobs(Refusal):
    """The user has as many jobs in the queue or running as one may have."""


class JobNotPending(Refusal):
    """Only a job that died with its server can be restarted."""


class JobStillActive(Refusal):
    """A job in the queue or running cannot be deleted."""


class DownloadsExhausted(Refusal):
    """The file was downloaded as often as it may be."""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What a user asked for, as the server stores it.

    Attributes:
        name: Empty for the job's id.
        application: Shown name with version.
        parameters: Without the password.
        password: Of the result archives; empty when the user sent none.
    """

    name: str
    application: str
    application_id: str
    parameters: Mapping[str, Any]
    password: str


def refuse_above_limit(*, user: User, limit: int) -> None:
    """Refuse a user who has `limit` jobs waiting and running; administrators may have any number.

    Raises:
        TooManyJobs: The limit is reached.
    """
    if user.is_admin:
        return
    if Job.objects.filter(user=user, state__in=ACTIVE).count() >= limit:
        raise TooManyJobs(f"Only {limit} jobs per user can be executed simultaneously.")


def submit_job(
    *,
    user: User,
    submission: Submission,
    uploads: Mapping[str, Path],
    user_agent: str,
    limit: int,
    now: datetime,
) -> Job:
    """Put a job at the end of the queue, with its uploads in its workspace.

    The user's row is locked for the count, so two submissions at once cannot both be the last that
    is allowed. The files are moved before the row commits: the runner never sees a job without.

    Args:
        uploads: Safe file name to where the bytes are now, on the file system of the workspaces.
        limit: Jobs that a user may have waiting and running; does not bind administrators.

    Raises:
        TooManyJobs: The limit is reached.
    """
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        refuse_above_limit(user=user, limit=limit)
        job_id = _reserve_workspace(now)
        try:
            workspaces.move_uploads(job_id, uploads)
            job = Job.objects.create(
                id=job_id,
                user=user,
                name=submission.name or job_id,
                application=submission.application,
                application_id=submission.application_id,
                parameters=dict(submission.parameters),
                password=passwords.encrypt(submission.password or passwords.generate()),
                password_is_generated=not submission.password,
                user_agent=user_agent[:255],
                submitted_at=now,
                queued_at=now,
            )
            _prepare(job)
        except BaseException:
            workspaces.remove_workspace(job_id)
            raise
    return job


def cancel_job(*, job: Job, now: datetime) -> None:
    """Cancel at once a job that waits; ask the runner to stop one that runs.

    A job that has ended stays as it is. The runner ends the job as CANCELED when nothing of its
    pipeline runs any more.
    """
    waiting = Job.objects.filter(pk=job.pk, state=State.WAITING).update(
        state=State.CANCELED, ended_at=now, cancel_requested_at=now, password=""
    )
    if waiting:
        workspaces.remove_all_but_outputs(job.pk)
    else:
        Job.objects.filter(
            pk=job.pk, state__in=[State.RUNNING, State.EXPORTING], cancel_requested_at=None
        ).update(cancel_requested_at=now)


def restart_job(*, job: Job, now: datetime) -> None:
    """Put a DEAD job at the end of the queue again, without traces of its first run.

    Raises:
        JobNotPending: It is in any other state.
    """
    with transaction.atomic():
        revived = Job.objects.filter(pk=job.pk, state__in=sources(State.WAITING)).update(
            state=State.WAITING,
            queued_at=now,
            started_at=None,
            ended_at=None,
            cancel_requested_at=None,
            events_applied=0,
        )
        if not revived:
            raise JobNotPending(f"Job {job.pk} is not pending.")
        job.steps.all().delete()
        job.outputs.all().delete()
        workspaces.remove_results(job.pk)
        _prepare(job)


def delete_job(*, job: Job, now: datetime) -> None:
    """Remove a job's files and everything about them; its number stays known as DELETED.

    Raises:
        JobStillActive: It waits or runs; it must be canceled first.
    """
    with transaction.atomic():
        deleted = Job.objects.filter(pk=job.pk, state__in=sources(State.DELETED)).update(
            state=State.DELETED, deleted_at=now, password=""
        )
        if not deleted and Job.objects.filter(pk=job.pk, state__in=ACTIVE).exists():
            raise JobStillActive(f"Job {job.pk} is still running.")
        job.outputs.all().delete()
    workspaces.remove_workspace(job.pk)


def spend_download(*, file: OutputFile) -> None:
    """Take one from the number of downloads left; -1 is without limit.

    One conditional update: of many requests at once exactly as many succeed as are left.

    Raises:
        DownloadsExhausted: None is left.
    """
    if file.count == -1:
        return
    spent = OutputFile.objects.filter(pk=file.pk, count__gt=0).update(count=F("count") - 1)
    if not spent:
        raise DownloadsExhausted("number of max downloads exceeded.")


def set_maintenance(*, on: bool) -> None:
    """Refuse submissions, or accept them again; jobs in the queue go on."""
    NodeStatus.objects.update_or_create(id=1, defaults={"maintenance": on})


def _reserve_workspace(now: datetime) -> str:
    """Id `job-YYYYMMDD-HHMMSS-mmm` of the first free millisecond from `now` on, its folder made."""
    moment = now
    while True:
        job_id = f"job-{moment:%Y%m%d-%H%M%S}-{moment.microsecond // 1000:03d}"
        try:
            workspaces.create_workspace(job_id)
        except FileExistsError:
            moment += timedelta(milliseconds=1)
            continue
        return job_id


def _prepare(job: Job) -> None:
    Step.objects.bulk_create(
        Step(job=job, position=position, name=name) for position, name in enumerate(STEPS, 1)
    )
    Output.objects.bulk_create(
        Output(job=job, name=name, hash=secrets.token_hex(32)) for name in Output.Name
    )
