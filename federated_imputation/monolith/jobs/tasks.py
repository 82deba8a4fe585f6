"""Celery in: the tick, one step of one job, the sweep. None of them ever waits for a job.

The tick runs in a thread of its own in each worker, so that no number of slow calls keeps it from
announcing what is due; workers share the due rows. Steps take turns (`jobs.turns`), so that no
number of slow services keeps the others waiting.
"""

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Final
from uuid import UUID

from celery import shared_task
from celery.signals import worker_ready, worker_shutdown
from django.conf import settings
from django.db import Error, connection
from django.utils import timezone

from federated_imputation.monolith.files import operations as files
from federated_imputation.monolith.jobs import dispatch, lease, looks, queries, worker
from federated_imputation.monolith.jobs.plans.operations import executions
from federated_imputation.monolith.jobs.turns import Turns

__all__ = ["advance", "announce", "execute", "look", "sweep", "tick", "tick_until"]


logger = logging.getLogger(__name__)
TICK_SECONDS: Final = 1.0
_ending: Final = threading.Event()
_turns: Final = Turns(threads=settings.CELERY_WORKER_CONCURRENCY)


@worker_ready.connect
def _begin_to_tick(**_: object) -> None:
    _ending.clear()
    threading.Thread(target=tick_until, args=(_ending,), name="jobs.tick", daemon=True).start()


@worker_shutdown.connect
def _end_to_tick(**_: object) -> None:
    _ending.set()


def announce() -> None:
    """Announce every job and every schedule whose time has come."""
    now = timezone.now()
    for job_id in lease.claim_due(now=now):
        dispatch.send(job_id)
    for batch in lease.claim_due_looks(now=now):
        dispatch.send_looks(batch)
    for schedule_id in executions.claim_due_schedules(now=now):
        dispatch.send_schedule(schedule_id)


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
    """Do one step of a job, in its turn; announce the next one when it is due at once."""
    job = UUID(job_id)
    service = queries.service_of(job_ids=[job])
    if service is None:
        return
    with _turns.turn(service, step=job, again=partial(dispatch.send, job)) as is_our_turn:
        if is_our_turn and worker.advance(job):
            dispatch.send(job)


@shared_task(name="jobs.look", ignore_result=True)
def look(job_ids: list[str]) -> None:
    """Ask how these jobs of one service stand, in their turn; announce the steps that follow."""
    jobs = tuple(UUID(job_id) for job_id in job_ids)
    service = queries.service_of(job_ids=jobs)
    if service is None:
        return
    with _turns.turn(service, step=jobs, again=partial(dispatch.send_looks, jobs)) as is_our_turn:
        for job in looks.look(jobs) if is_our_turn else ():
            dispatch.send(job)


@shared_task(name="jobs.execute", ignore_result=True)
def execute(schedule_id: str) -> None:
    """Make the job that a schedule is due for."""
    executions.execute_due(UUID(schedule_id), now=timezone.now())


@shared_task(name="jobs.sweep", ignore_result=True)
def sweep() -> None:
    """Delete bytes that no row names."""
    now = timezone.now()
    files.sweep_inputs(is_known=lambda path: queries.is_input(path=path), now=now)
    files.sweep_results(now=now)
