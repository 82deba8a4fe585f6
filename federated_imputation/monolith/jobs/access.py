"""Who may do what with a job. Every check of it is here and nowhere else.

| who | sees | cancels, retries | edits, deletes, reveals, downloads |
| owner | yes | yes | yes |
| `manage_jobs` at its service | yes | yes | no |
| `view_jobs` at its service, or every job by role | yes | no | no |
| anybody else | no: 404, as for an id that is none | | |
"""

from django.contrib.auth.models import AnonymousUser, User
from rest_framework.exceptions import NotFound, PermissionDenied

from federated_imputation.monolith.accounts.models import ServicePermission
from federated_imputation.monolith.accounts.queries import find_rights
from federated_imputation.monolith.jobs.models import ImputationJob
from federated_imputation.monolith.jobs.queries import find_job

__all__ = ["managed", "owned", "refuse_submission", "retried", "seen"]


def refuse_submission(user: User | AnonymousUser, *, service_id: int) -> None:
    """Let those pass who may send a job to this service, by role or by a right there.

    Raises:
        PermissionDenied: With a sentence that says whom to ask for what.
    """
    rights = find_rights(user)
    if service_id in rights.barred:
        raise PermissionDenied(
            "Your access to this service is switched off. Ask an administrator to switch it on."
        )
    if not rights.may_submit_to(service_id):
        raise PermissionDenied(
            "Your role may not submit jobs. Ask an administrator for another role, or for the "
            "right to submit jobs to this service."
        )


def seen(user: User | AnonymousUser, *, job_id: str) -> ImputationJob:
    """The job, if `user` may look at it.

    Raises:
        NotFound: Otherwise.
    """
    job = find_job(user, job_id=job_id)
    if job is None:
        raise NotFound
    return job


def owned(user: User | AnonymousUser, *, job_id: str) -> ImputationJob:
    """The job, if it is the user's own.

    Raises:
        NotFound: The user may not even look at it.
        PermissionDenied: It is somebody else's.
    """
    job = seen(user, job_id=job_id)
    if job.user_id != user.pk:
        raise PermissionDenied("Only the owner of a job may do this.")
    return job


def managed(user: User | AnonymousUser, *, job_id: str) -> ImputationJob:
    """The job, if it is the user's own or of a service whose jobs the user manages.

    Raises:
        NotFound: The user may not even look at it.
        PermissionDenied: Otherwise.
    """
    job = seen(user, job_id=job_id)
    manages = find_rights(user).may_at(job.service_id, ServicePermission.Kind.MANAGE_JOBS)
    if job.user_id != user.pk and not manages:
        raise PermissionDenied(
            "Only the owner of a job, and those who manage the jobs of its service, may do this."
        )
    return job


def retried(user: User | AnonymousUser, *, job_id: str) -> ImputationJob:
    """The job, if `user` may send it again: an owner must still be allowed to submit.

    Raises:
        NotFound: The user may not even look at it.
        PermissionDenied: Otherwise.
    """
    job = managed(user, job_id=job_id)
    if job.user_id == user.pk:
        refuse_submission(user, service_id=job.service_id)
    return job
