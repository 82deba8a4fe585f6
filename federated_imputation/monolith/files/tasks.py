"""Celery in: the tick of checks and repairs, one of them, the sites of panels, the sweep."""

import threading
from typing import Final
from uuid import UUID

from celery import shared_task
from celery.signals import worker_shutting_down
from django.conf import settings
from django.utils import timezone

from federated_imputation.monolith.files import worker
from federated_imputation.monolith.files.operations import (
    genotypes,
    panel_sites,
    runs,
    storage_use,
    stored,
)

__all__ = ["fetch_sites", "refresh_sites", "run", "sweep", "tick"]


_ending: Final = threading.Event()


@worker_shutting_down.connect
def _end(**_: object) -> None:
    """A worker waits for its tasks before it ends, and a run may take hours."""
    _ending.set()


@shared_task(name="files.tick", ignore_result=True)
def tick() -> None:
    """Announce every check and repair for which there is a slot; beat sends this each second."""
    for run_id in runs.claim_due_runs(now=timezone.now()):
        run.apply_async(args=(str(run_id),), expires=settings.JOB_DISPATCH_SECONDS, retry=False)


@shared_task(name="files.run", ignore_result=True)
def run(run_id: str) -> None:
    """Do a check or a repair; it holds a thread of the worker, and a child does the work."""
    worker.work(UUID(run_id), is_ending=_ending.is_set)


@shared_task(name="files.refresh_sites", ignore_result=True)
def refresh_sites() -> None:
    """Announce the panels whose sites are to be fetched, unless services are called on demand."""
    if settings.BACKGROUND_CHECKS:
        for panel_id in panel_sites.claim_due_sites(now=timezone.now()):
            fetch_sites.apply_async(args=(panel_id,), expires=600, retry=False)


@shared_task(name="files.fetch_sites", ignore_result=True)
def fetch_sites(panel_id: int) -> None:
    """Bring the tables of a panel's sites up to date."""
    panel_sites.fetch_sites(panel_id, clock=timezone.now)


@shared_task(name="files.sweep", ignore_result=True)
def sweep() -> None:
    """Delete objects, genotypes and tables that no row names, and mend what users are told."""
    genotypes.sweep_genotypes(now=timezone.now())
    stored.sweep_objects()
    storage_use.correct_storage_used()
