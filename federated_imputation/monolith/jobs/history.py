"""The one way in which a job changes: its row, its work row and its events in one transaction."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from federated_imputation.monolith.files import operations as file_operations
from federated_imputation.monolith.files import queries as files
from federated_imputation.monolith.jobs.decisions import Outcome, Phase, Work
from federated_imputation.monolith.jobs.models import ImputationJob, JobStatusUpdate, JobWork
from federated_imputation.monolith.jobs.states import FINAL, Status, move

__all__ = ["JobGone", "lock", "lock_or_make", "record", "work_of"]

# Columns of the work row that are fields of `Work` under the same name.
_MIRRORED: Final = (
    "attempt",
    "failure",
    "failures",
    "failing_since",
    "last_error",
    "uncertain_since",
    "searches",
    "restarts",
    "quiet_polls",
    "cuts",
    "cancel_asked_at",
)
_MOST_EVENT_TEXT: Final = 10_000


class JobGone(Exception):
    """Raised when the job was deleted meanwhile."""


def lock(job_id: UUID, *, fence: int | None = None) -> JobWork | None:
    """The work row with its job, both locked until the transaction ends.

    `None` when there is no such row, or when `fence` is given and a later holder has raised it.
    """
    rows = JobWork.objects.select_for_update().select_related("job").filter(job_id=job_id)
    if fence is not None:
        rows = rows.filter(fence=fence)
    return rows.first()


def lock_or_make(job_id: UUID, *, now: datetime) -> JobWork:
    """As `lock`; the row is made for a job of the earlier system, which had none.

    Raises:
        JobGone: There is no such job (any more).
    """
    row = lock(job_id)
    if row is not None:
        return row
    job = ImputationJob.objects.select_for_update().filter(pk=job_id).first()
    if job is None:
        raise JobGone
    phase = Phase.FOLLOW if job.external_job_id else Phase.SUBMIT
    if Status(job.status) in FINAL:
        phase = Phase.DONE
    row, _ = JobWork.objects.select_for_update().get_or_create(
        job=job,
        defaults={"phase": phase.value, "next_poll_at": None if phase is Phase.DONE else now},
    )
    row.job = job
    return row


def work_of(row: JobWork) -> Work:
    """What the decisions may know of the job of `row`."""
    return Work(
        phase=Phase(row.phase),
        status=Status(row.job.status),
        progress=row.job.progress_percentage,
        external_id=row.job.external_job_id,
        response=row.job.service_response,
        skipped=tuple(row.skipped),
        cancel_requested=row.cancel_requested_at is not None,
        **{name: getattr(row, name) for name in _MIRRORED},
    )


def record(row: JobWork, outcome: Outcome, *, now: datetime) -> None:
    """Make `row` and its job what `outcome` says and append its events.

    Runs in the caller's transaction, which holds the lock of `row` and its job.

    Raises:
        IllegalTransition: The job may not become that; nothing is written.
    """
    job = row.job
    before = job.status, job.progress_percentage
    _record_job(job, outcome.work, now)
    _record_work(row, outcome, now)
    after = job.status, job.progress_percentage
    # Only the last event ends the job; what was said before it was said before the end.
    earlier = before if outcome.work.status in FINAL else after
    standings = [*[earlier] * (len(outcome.events) - 1), after]
    JobStatusUpdate.objects.bulk_create(
        JobStatusUpdate(
            job=job,
            status=status,
            progress_percentage=progress,
            message=event.message[:_MOST_EVENT_TEXT],
            timestamp=now,
            external_data=dict(event.facts),
        )
        for event, (status, progress) in zip(outcome.events, standings, strict=False)
    )


def _record_job(job: ImputationJob, work: Work, now: datetime) -> None:
    job.status = move(Status(job.status), work.status).value
    job.progress_percentage = work.progress
    job.external_job_id = work.external_id
    job.service_response = dict(work.response)
    job.error_message = work.failure if work.status is Status.FAILED else ""
    if work.status is Status.RUNNING and job.started_at is None:
        job.started_at = now
    if work.status in FINAL:
        job.completed_at = now
        if job.started_at is not None:
            job.execution_time_seconds = round((now - job.started_at).total_seconds())
        job.result_files = [
            {
                "id": file.pk,
                "filename": file.filename,
                "file_type": file.file_type,
                "file_size": file.file_size,
                "checksum": file.checksum,
            }
            for file in files.results_of_job(job_id=job.pk)
        ]
        file_operations.recount_on_commit(user_id=job.user_id)
    job.save(
        update_fields=[
            "status",
            "progress_percentage",
            "external_job_id",
            "service_response",
            "error_message",
            "started_at",
            "completed_at",
            "execution_time_seconds",
            "result_files",
            "updated_at",
        ]
    )


def _record_work(row: JobWork, outcome: Outcome, now: datetime) -> None:
    work = outcome.work
    row.phase = work.phase.value
    row.skipped = list(work.skipped)
    for name in _MIRRORED:
        setattr(row, name, getattr(work, name))
    # A cancellation that was asked for while the worker was busy is not kept waiting.
    unheard = row.cancel_requested_at is not None and work.cancel_asked_at is None
    can_hear = work.phase is Phase.SUBMIT or (work.phase is Phase.FOLLOW and not work.failures)
    wait = 0.0 if unheard and can_hear else outcome.wait
    if work.phase is Phase.DONE:
        row.holds_place, row.place_wanted_at = False, None
    row.next_poll_at = None if work.phase is Phase.DONE else now + timedelta(seconds=wait)
    row.save()
