"""How jobs end by another's hand: cancelled, or gone with what they belong to."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db import transaction

from federated_imputation.monolith.accounts import operations as accounts
from federated_imputation.monolith.deletions.queries import Subject
from federated_imputation.monolith.files import operations as files
from federated_imputation.monolith.jobs import decisions, dispatch
from federated_imputation.monolith.jobs.decisions import Event, Outcome, Phase
from federated_imputation.monolith.jobs.decisions.work import failed
from federated_imputation.monolith.jobs.history import JobGone, lock_or_make, record, work_of
from federated_imputation.monolith.jobs.models import ImputationJob, JobWork
from federated_imputation.monolith.jobs.queries import jobs_of
from federated_imputation.monolith.jobs.states import FINAL, Status

__all__ = ["ask_to_end", "end_jobs_of", "forget_job"]


def ask_to_end(row: JobWork, *, user_id: int | None, now: datetime) -> str:
    """Cancel at once what was not sent; ask for the cancellation of the rest.

    Runs in the caller's transaction, which holds the lock of `row`; the job is not over.

    Args:
        user_id: Who asks; `None` for the platform itself.

    Returns:
        The id of the message to the worker.
    """
    work = work_of(row)
    if work.phase is Phase.SUBMIT:
        outcome = decisions.cancelled_unsent(work)
        row.fence += 1
        row.lease_until = None
    else:
        words = "Cancellation requested."
        if work.phase is Phase.FETCH:
            words += " The service is done with the job already; only its files are fetched."
        asked = Event(message=words, facts={"user_id": user_id})
        events = () if work.cancel_requested else (asked,)
        outcome = Outcome(work=replace(work, cancel_requested=True), events=events)
    row.cancel_requested_at = row.cancel_requested_at or now
    record(row, outcome, now=now)
    return dispatch.send_on_commit(row.job_id)


def end_jobs_of(subject: Subject, *, asked_by: int | None, gives_up: bool, now: datetime) -> int:
    """Ask for the end of every job of a subject that goes; may be asked again at any time.

    Args:
        asked_by: The user who deletes the subject.
        gives_up: Whether to fail what no service has ended, with a row in the audit log each, so
            that what may still run there can be found.

    Returns:
        How many of them are not over yet.
    """
    going = jobs_of(subject).exclude(status__in=FINAL).order_by("pk")
    for job_id in list(going.values_list("pk", flat=True)):
        with transaction.atomic():
            _end(job_id, asked_by=asked_by, gives_up=gives_up, now=now)
    return going.count()


@transaction.atomic
def forget_job(job_id: UUID) -> None:
    """Delete a job's row, its work and its history, and its upload after them.

    Its results and its secrets are gone already. A job that is not there is forgotten.
    """
    job = ImputationJob.objects.select_for_update().filter(pk=job_id).first()
    if job is None:
        return
    files.recount_on_commit(user_id=job.user_id)
    files.forget_input(str(job.input_file or ""))
    job.delete()


def _end(job_id: UUID, *, asked_by: int | None, gives_up: bool, now: datetime) -> None:
    try:
        row = lock_or_make(job_id, now=now)
    except JobGone:
        return
    if Status(row.job.status) in FINAL:
        return
    if gives_up:
        _give_up(row, now=now)
    elif row.cancel_requested_at is None:
        ask_to_end(row, user_id=asked_by, now=now)


def _give_up(row: JobWork, *, now: datetime) -> None:
    job = row.job
    reason = "It was given up: the service did not end it, and it is to be deleted."
    row.fence += 1
    row.lease_until = None
    record(row, failed(work_of(row), reason), now=now)
    accounts.record_audit(
        action="give_up_job",
        user_id=None,
        resource_type="job",
        resource_id=str(job.pk),
        details={
            "service": job.service_id,
            "api_url": job.service.api_url.partition("?")[0],
            "external_job_id": job.external_job_id,
        },
        origin=None,
        now=now,
    )
