"""Who may do what with a job. Every check of it is here and nowhere else.

| who | sees | cancels, retries | edits, deletes, reveals, downloads |
| owner | yes | yes | yes |
| `manage_jobs` at its service | yes | yes | no |
| `view_jobs` at its service, or every job by role | yes | no | no |
| anybody else | no: 404, as for an id that is none | | |
"""

from rest_framework.exceptions import NotFound, PermissionDenied

from federated_imputation.monolith.accounts.queries import RightAtService, Rights, is_barred
from federated_imputation.monolith.jobs.models import ImputationJob
from federated_imputation.monolith.jobs.queries import find_job

__all__ = ["managed", "owned", "refuse_submission", "retried", "seen"]


def refuse_submission(by: Rights, *, service_id: int) -> None:
    """Let those pass who may send a job to this service, by role or by a right there.

    Raises:
        PermissionDenied: With a sentence that says whom to ask for what.
    """
    if is_barred(by, service_id=service_id):
        raise PermissionDenied(
            "Your access to this service is switched off. Ask an administrator to switch it on."
        )
    if not by.may_submit_to(service_id):
        raise PermissionDenied(
            "Your role may not submit jobs. Ask an administrator for another role, or for the "
            "right to submit jobs to this service."
        )


def seen(by: Rights, *, job_id: str) -> ImputationJob:
    """The job, if the caller may look at it.

    Raises:
        NotFound: Otherwise.
    """
    job = find_job(by, job_id=job_id)
    if job is None:
        raise NotFound
    return job


def owned(by: Rights, *, job_id: str) -> ImputationJob:
    """The job, if it is the caller's own.

    Raises:
        NotFound: The caller may not even look at it.
        PermissionDenied: It is somebody else's.
    """
    job = seen(by, job_id=job_id)
    if job.user_id != by.user_id:
        raise PermissionDenied("Only the owner of a job may do this.")
    return job


def managed(by: Rights, *, job_id: str) -> ImputationJob:
    """The job, if it is the caller's own or of a service whose jobs the caller manages.

    Raises:
        NotFound: The caller may not even look at it.
        PermissionDenied: Otherwise.
    """
    job = seen(by, job_id=job_id)
    manages = by.may_at(job.service_id, RightAtService.MANAGE_JOBS)
    if job.user_id != by.user_id and not manages:
        raise PermissionDenied(
            "Only the owner of a job, and those who manage the jobs of its service, may do this."
        )
    return job


def retried(by: Rights, *, job_id: str) -> ImputationJob:
    """The job, if the caller may send it again: an owner must still be allowed to submit.

    Raises:
        NotFound: The caller may not even look at it.
        PermissionDenied: Otherwise.
    """
    job = managed(by, job_id=job_id)
    if job.user_id == by.user_id:
        refuse_submission(by, service_id=job.service_id)
    return job
