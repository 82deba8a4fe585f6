"""Telling a worker that a job is due. Only a hint: the rows are the truth.

A message that is lost, doubled or late does no harm, since `jobs.worker.advance` looks at the row
first and the tick announces again what stays due. So Celery's own care for messages (late
acknowledgement, visibility time-outs, retries, results) is neither needed nor used.
"""

import logging
import uuid
from collections.abc import Sequence
from functools import cache

from celery import Celery
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

__all__ = ["send", "send_looks", "send_on_commit", "send_schedule"]

logger = logging.getLogger(__name__)


def send_on_commit(job_id: uuid.UUID) -> str:
    """`send`, once the transaction under way is committed; returns the message's id already."""
    message_id = str(uuid.uuid4())
    transaction.on_commit(lambda: send(job_id, message_id=message_id))
    return message_id


def send(job_id: uuid.UUID, *, message_id: str | None = None) -> None:
    """Ask a worker to advance the job.

    An unreachable broker is logged and nothing else: the tick finds the row later.
    """
    _send("jobs.advance", str(job_id), message_id=message_id)


def send_looks(job_ids: Sequence[uuid.UUID]) -> None:
    """Ask a worker to look at these jobs of one service; else as `send`."""
    _send("jobs.look", [str(job_id) for job_id in job_ids])


def send_schedule(schedule_id: uuid.UUID) -> None:
    """Ask a worker to execute a schedule that is due; else as `send`."""
    _send("jobs.execute", str(schedule_id))


def _send(task: str, argument: str | list[str], *, message_id: str | None = None) -> None:
    try:
        _producer().send_task(
            task,
            args=[argument],
            task_id=message_id,
            ignore_result=True,
            retry=False,
            expires=settings.JOB_DISPATCH_SECONDS,
        )
    except OperationalError:
        logger.warning("The broker does not answer; %s waits for the tick.", argument)


@cache
def _producer() -> Celery:
    """An application of its own that only sends, for every kind of process."""
    producer = Celery("jobs-producer", broker=settings.CELERY_BROKER_URL, set_as_current=False)
    producer.conf.broker_transport_options = {"socket_connect_timeout": 2, "socket_timeout": 5}
    producer.conf.broker_connection_timeout = 2
    return producer
