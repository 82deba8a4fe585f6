"""Celery in: the tick, one step of one job, the sweep. None of them ever waits for a job.

The tick runs in a thread of its own in each worker, so that no number of slow calls keeps it from
announcing what is due; workers share the due rows.
"""

import logging
import threading
from collections.abc import Callable
from typing import Final
from uuid import UUID

from celery import shared_task
from celery.signals import worker_ready, worker_shutdown
from django.db import Error, connection
from django.utils import timezone

from federated_imputation.monolith.files import operations as files
from federated_imputation.monolith.jobs import dispatch, lease, looks, queries, worker

__all__ = ["advance", "announce", "look", "sweep", "tick", "tick_until"]


logger = logging.getLogger(__name__)
TICK_SECONDS: Final = 1.0
_ending: Final = threading.Event()


@worker_ready.connect
def _begin_to_tick(**_: object) -> None:
    _ending.clear()
    threading.Thread(target=tick_until, args=(_ending,), name="jobs.tick", daemon=True).start()


@worker_shutdown.connect
def _end_to_tick(**_: object) -> None:
    _ending.set()


def announce() -> None:
    """Announce every job whose time has come."""
    now = timezone.now()
    for job_id in lease.claim_due(now=now):
        dispatch.send(job_id)
    for batch in lease.claim_due_looks(now=now):
        dispatch.send_looks(batch)


def tick_until(
    ending: threading.Event,
    *,
    every: float = TICK_SECONDS,
    announce: Callable[[], None] = announce,
) -> None:
    """Tick every `every` seconds until `ending` is set, whatever the database does meanwhile."""
    while not ending.wait(every):
        try:
            announce()
        except Error as error:
            logger.warning("The tick found no database: %s", type(error).__name__)
            connection.close()
    connection.close()


@shared_task(name="jobs.tick", ignore_result=True)
def tick() -> None:
    """One tick, for who wants one from outside of a worker."""
    announce()


@shared_task(name="jobs.advance", ignore_result=True)
def advance(job_id: str) -> None:
    """Do one step of a job; announce the next one when it is due at once."""
    if worker.advance(UUID(job_id)):
        dispatch.send(UUID(job_id))


@shared_task(name="jobs.look", ignore_result=True)
def look(job_ids: list[str]) -> None:
    """Ask how these jobs of one service stand; announce the steps that follow."""
    for job_id in looks.look([UUID(job_id) for job_id in job_ids]):
        dispatch.send(job_id)


@shared_task(name="jobs.sweep", ignore_result=True)
def sweep() -> None:
    """Delete bytes that no row names."""
    now = timezone.now()
    files.sweep_uploads(is_known=lambda path: queries.is_input(path=path), now=now)
    files.sweep_results(now=now)
