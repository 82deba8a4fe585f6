"""Celery in: the tick, one step of one job, the sweep. None of them ever waits for a job."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from federated_imputation.monolith.files import operations as files
from federated_imputation.monolith.jobs import dispatch, lease, queries, worker

__all__ = ["advance", "sweep", "tick"]


@shared_task(name="jobs.tick", ignore_result=True)
def tick() -> None:
    """Announce every job whose time has come; beat sends this each second."""
    for job_id in lease.claim_due(now=timezone.now()):
        dispatch.send(job_id)


@shared_task(name="jobs.advance", ignore_result=True)
def advance(job_id: str) -> None:
    """Do one step of a job; announce the next one when it is due at once."""
    if worker.advance(UUID(job_id)):
        dispatch.send(UUID(job_id))


@shared_task(name="jobs.sweep", ignore_result=True)
def sweep() -> None:
    """Delete bytes that no row names."""
    now = timezone.now()
    files.sweep_uploads(is_known=lambda path: queries.is_input(path=path), now=now)
    files.sweep_results(now=now)
