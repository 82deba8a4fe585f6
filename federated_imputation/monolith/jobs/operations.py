"""Writes of the jobs domain that people ask for: submit, edit, cancel, retry, delete.

What people change about the work of a job raises its fence, so that a worker that holds the job
at that moment writes nothing more about it.
"""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db import transaction

from apps.shared.api.origin import Origin
from federated_imputation.monolith.accounts import operations as accounts
from federated_imputation.monolith.accounts import queries as account_queries
from federated_imputation.monolith.deletions import operations as deletions
from federated_imputation.monolith.deletions.queries import Kind, Subject, is_being_deleted
from federated_imputation.monolith.files import operations as files
from federated_imputation.monolith.jobs import dispatch
from federated_imputation.monolith.jobs.checks import InvalidJob, NewJob, checked
from federated_imputation.monolith.jobs.creation import (
    audit,
    insert_jobs,
    removed_when_refused,
    stored,
)
from federated_imputation.monolith.jobs.decisions import Event, Outcome, Phase, Work
from federated_imputation.monolith.jobs.endings import ask_to_end, end_jobs_of, forget_job
from federated_imputation.monolith.jobs.history import JobGone, lock_or_make, record, work_of
from federated_imputation.monolith.jobs.models import ImputationJob, JobWork
from federated_imputation.monolith.jobs.states import FINAL, RETRYABLE, Status

__all__ = [
    "InvalidJob",
    "JobGone",
    "NewJob",
    "NotAllowedNow",
    "cancel_job",
    "create_job",
    "delete_job",
    "edit_job",
    "end_jobs_of",
    "forget_job",
    "retry_job",
    "reveal_password",
]


class NotAllowedNow(Exception):
    """Raised with a sentence that says why the job's state does not allow it."""


def create_job(*, user_id: int, new: NewJob, origin: Origin, now: datetime) -> ImputationJob:
    """Store the upload and the job, and tell a worker.

    The file is whole on disk before the rows that name it are committed; without them it is swept.
    A stored file that is named instead of an upload gives its bytes by a link of the job's own, so
    that neither's end is the other's.

    Raises:
        InvalidJob: Something does not fit; nothing was stored.
        QuotaExceeded: The user may not submit more; nothing is left behind.
    """
    ready = checked(new, user_id=user_id, now=now), stored(new, user_id=user_id)
    with removed_when_refused([ready[1]]), transaction.atomic():
        (job,) = insert_jobs([ready], user_id=user_id, origin=origin, now=now)
    return job


@transaction.atomic
def edit_job(
    job: ImputationJob, *, changes: dict[str, str], user_id: int, origin: Origin, now: datetime
) -> ImputationJob:
    """Change the name or the description; nothing else of a job is its owner's to write.

    Raises:
        JobGone: It was deleted meanwhile.
    """
    if not ImputationJob.objects.select_for_update().filter(pk=job.pk).exists():
        raise JobGone
    allowed = {name: changes[name] for name in ("name", "description") if name in changes}
    for name, value in allowed.items():
        setattr(job, name, value)
    job.save(update_fields=[*allowed, "updated_at"])
    audit("update_job", job, user_id=user_id, origin=origin, now=now)
    return job


@transaction.atomic
def cancel_job(job_id: UUID, *, user_id: int | None, origin: Origin, now: datetime) -> str:
    """Cancel at once what was not sent; ask for the cancellation of the rest.

    `user_id` says who asks, for the history; `None` for the platform itself.

    Only the service's own word makes a job cancelled that it has, and a job that it finishes
    first is completed: the row tells the truth, not the wish. Asking twice is asking once.

    Returns:
        The id of the message to the worker.

    Raises:
        JobGone: It was deleted meanwhile.
        NotAllowedNow: The job is over.
    """
    row = lock_or_make(job_id, now=now)
    if Status(row.job.status) in FINAL:
        raise NotAllowedNow(f"A job that is {row.job.status} cannot be cancelled.")
    message_id = ask_to_end(row, user_id=user_id, now=now)
    audit("cancel_job", row.job, user_id=user_id, origin=origin, now=now)
    return message_id


@transaction.atomic
def retry_job(
    job_id: UUID, *, user_id: int | None, origin: Origin, now: datetime, user_token: str = ""
) -> str:
    """Take up a failed or cancelled job again, as a new attempt under a new tag.

    The file, the parameters and the history stay; what the last attempt left goes. A job that is
    not over goes on as it is with a new token, at once.

    Args:
        user_token: The owner's token at the service, in place of the job's earlier one; '' keeps
            that.

    Returns:
        The id of the message to the worker.

    Raises:
        JobGone: It was deleted meanwhile.
        NotAllowedNow: The job is completed, or it is not over and there is no new token.
    """
    row = lock_or_make(job_id, now=now)
    if is_being_deleted(Subject(kind=Kind.JOB, id=job_id)):
        raise JobGone
    status = Status(row.job.status)
    if status not in RETRYABLE and (status in FINAL or not user_token):
        raise NotAllowedNow(f"A job that is {row.job.status} cannot be retried.")
    if user_token:
        accounts.store_credential(
            service_id=row.job.service_id,
            user_id=row.job.user_id,
            job_id=job_id,
            kind=accounts.CredentialKind.JOB_TOKEN,
            secret=user_token,
            now=now,
        )
    if status not in RETRYABLE:
        return _go_on(row, user_id=user_id, origin=origin, now=now)
    files.forget_results(job_id=job_id)
    files.recount_on_commit(user_id=row.job.user_id)
    attempt = row.attempt + 1
    event = Event(
        message=f"Taken up again: attempt {attempt}.",
        facts={"attempt": attempt, "earlier_external_id": row.job.external_job_id},
    )
    job = row.job
    job.started_at = job.completed_at = job.execution_time_seconds = None
    job.result_files = []
    row.cancel_requested_at = None
    row.fence += 1
    row.lease_until = row.dispatched_until = None
    again = replace(Work(status=work_of(row).status), attempt=attempt).moved(Status.PENDING)
    record(row, Outcome(work=again, events=(event,)), now=now)
    audit("retry_job", job, user_id=user_id, origin=origin, now=now)
    return dispatch.send_on_commit(job_id)


def _go_on(row: JobWork, *, user_id: int | None, origin: Origin, now: datetime) -> str:
    """Let a job that is under way be looked at again at once, with the token stored just now."""
    work = work_of(row)
    event = Event(message="A new token was given for this job; the service is asked again.")
    # A look that is under way with the old token would put the job to sleep again. What sends or
    # fetches is not interrupted.
    is_free = row.lease_until is None or row.lease_until <= now
    if work.phase is Phase.FOLLOW and not is_free:
        row.fence += 1
        row.lease_until = None
    record(row, Outcome(work=work, events=(event,)), now=now)
    audit("retry_job", row.job, user_id=user_id, origin=origin, now=now)
    return dispatch.send_on_commit(row.job_id)


@transaction.atomic
def delete_job(job_id: UUID, *, user_id: int, origin: Origin, now: datetime) -> None:
    """Begin to delete a job that is over: its rows, its secrets, its file and its results.

    Nobody sees it any more from now on.

    Raises:
        JobGone: It was deleted, or began to be, meanwhile.
        NotAllowedNow: It is not over; deleting it would leave it running at the service, where
            nobody could stop it any more.
    """
    row = lock_or_make(job_id, now=now)
    job = row.job
    if Status(job.status) not in FINAL:
        raise NotAllowedNow(f"A job that is {job.status} must be cancelled before it is deleted.")
    if not deletions.begin(Subject(kind=Kind.JOB, id=job_id), asked_by=user_id, now=now):
        raise JobGone
    audit("delete_job", job, user_id=user_id, origin=origin, now=now)


@transaction.atomic
def reveal_password(
    job: ImputationJob, *, user_id: int, origin: Origin, now: datetime
) -> str | None:
    """The password of the job's result files, audited; `None` when it has none."""
    password = account_queries.reveal_result_password(job_id=job.pk)
    if password is not None:
        audit(
            "data_access",
            job,
            user_id=user_id,
            origin=origin,
            now=now,
            details={"what": "result_password"},
        )
    return password
