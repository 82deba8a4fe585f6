"""Celery in: the tick of synchronisations, and one of them."""

from celery import shared_task
from django.utils import timezone

from federated_imputation.monolith.registry.operations import claim_due_syncs, run_due_sync

__all__ = ["sync", "tick"]

_EXPIRES = 30  # the row is announced again after that


@shared_task(name="registry.tick", ignore_result=True)
def tick() -> None:
    """Announce the services whose panels are to be synchronised; beat sends this each 5 seconds."""
    for service_id, task_id in claim_due_syncs(now=timezone.now()):
        sync.apply_async(args=(service_id,), task_id=str(task_id), expires=_EXPIRES, retry=False)


@shared_task(name="registry.sync", ignore_result=True)
def sync(service_id: int) -> None:
    """Ask a service what it offers; it holds a thread of the worker for as long as that takes."""
    run_due_sync(service_id)
