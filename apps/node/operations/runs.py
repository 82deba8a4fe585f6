"""What the runner writes. Each function may run twice: a commit whose answer got lost is in doubt.

Every change is conditional on the job being this server's (`Job.server`), so a server that was
replaced can write nothing any more.
"""

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from apps.node import workspaces
from apps.node.models import Job, Message, NodeStatus, Output, OutputFile, Step
from apps.node.operations.jobs import STEPS
from apps.node.states import ACTIVE, State, sources

__all__ = [
    "RunLost",
    "add_message",
    "add_output",
    "begin_service",
    "begin_step",
    "claim_job",
    "end_run",
    "give_notice",
    "remove_orphans",
    "retire_jobs",
    "start_export",
]

_ORPHAN_AGE: Final = timedelta(days=1)
_WORKING: Final = frozenset({State.RUNNING, State.EXPORTING})


class RunLost(Exception):
    """The job is not this server's any more."""


def begin_service(*, server: UUID, now: datetime) -> int:
    """Make `server` the one that serves, and bury the jobs of the one before it.

    The caller holds the lock of the node's runner.

    Returns:
        How many jobs became DEAD.
    """
    with transaction.atomic():
        NodeStatus.objects.update_or_create(id=1, defaults={"server": server})
        return Job.objects.filter(state__in=ACTIVE).update(
            state=State.DEAD, ended_at=now, server=None
        )


def claim_job(*, server: UUID, running: Collection[str], now: datetime) -> Job | None:
    """Make the job that has waited longest RUNNING on this server.

    Args:
        running: Jobs that slots of this server work on. One that is marked as this server's and is
            not among them was claimed by a commit whose answer got lost; it comes first.
    """
    with transaction.atomic():
        forgotten = Job.objects.filter(
            state=State.RUNNING, server=server, events_applied=0
        ).exclude(pk__in=running)
        job = forgotten.order_by("queued_at", "id").first()
        if job is not None:
            return job
        waiting = Job.objects.select_for_update(skip_locked=True).filter(state=State.WAITING)
        job = waiting.order_by("queued_at", "id").first()
        if job is not None:
            job.state, job.server, job.started_at = State.RUNNING, server, now
            job.save(update_fields=["state", "server", "started_at"])
        return job


def begin_step(*, job_id: str, server: UUID, number: int, name: str) -> None:
    """Make sure that the job has a step of that name.

    Raises:
        RunLost: Another server has the job.
    """
    with transaction.atomic():
        if _is_new(job_id, server, number):
            _step(job_id, name)


def add_message(
    *,
    job_id: str,
    server: UUID,
    number: int,
    step: str,
    type: int,  # noqa: A002 - the API's own word
    text: str,
    replace: bool,
    at: datetime,
) -> None:
    """Show a message below a step.

    Args:
        replace: Put it in the place of the step's last RUNNING message, if there is one.

    Raises:
        RunLost: Another server has the job.
    """
    with transaction.atomic():
        if not _is_new(job_id, server, number):
            return
        row = _step(job_id, step)
        running = row.messages.filter(type=Message.Type.RUNNING).order_by("-position").first()
        if replace and running is not None:
            running.type, running.text, running.time = type, text, at
            running.save(update_fields=["type", "text", "time"])
        else:
            last = row.messages.aggregate(last=Max("position"))["last"] or 0
            row.messages.create(position=last + 1, type=type, text=text, time=at)


def add_output(
    *, job_id: str, server: UUID, number: int, output: str, path: str, size: int, downloads: int
) -> None:
    """Offer a complete file for download, `downloads` times.

    Raises:
        RunLost: Another server has the job.
    """
    with transaction.atomic():
        if not _is_new(job_id, server, number):
            return
        OutputFile.objects.update_or_create(
            output=Output.objects.get(job_id=job_id, name=output),
            path=path,
            defaults={"size": size},
            create_defaults={"size": size, "count": downloads, "hash": secrets.token_hex(32)},
        )


def start_export(*, job_id: str, server: UUID) -> None:
    """Tell that results are being packed; nothing changes for a job that is further."""
    Job.objects.filter(pk=job_id, server=server, state__in=sources(State.EXPORTING)).update(
        state=State.EXPORTING
    )


def end_run(*, job_id: str, server: UUID, outcome: State, now: datetime) -> None:
    """End the job as SUCCESS, FAILED or CANCELED; a line still RUNNING is closed with it.

    Raises:
        RunLost: Another server has the job.
    """
    with transaction.atomic():
        ended = Job.objects.filter(pk=job_id, server=server, state__in=sources(outcome)).update(
            state=outcome, ended_at=now, password=""
        )
        if not ended and not Job.objects.filter(pk=job_id, server=server, state=outcome).exists():
            raise RunLost(job_id)
        closed = Message.Type.OK if outcome is State.SUCCESS else Message.Type.ERROR
        Message.objects.filter(step__job_id=job_id, type=Message.Type.RUNNING).update(type=closed)


def give_notice(*, now: datetime, notice_after: timedelta, retire_after: timedelta) -> int:
    """Mark jobs that ended `notice_after` ago: their files go on `deleted_at`."""
    number = 0
    for target in (State.SUCCESS_NOTIFIED, State.FAILED_NOTIFIED):
        due = Job.objects.filter(state__in=sources(target), ended_at__lte=now - notice_after)
        for job in due.order_by("id"):
            number += Job.objects.filter(pk=job.pk, state=job.state).update(
                state=target, deleted_at=max(now, (job.ended_at or now) + retire_after)
            )
    return number


def retire_jobs(*, now: datetime, retire_after: timedelta) -> int:
    """Delete the files of jobs that ended `retire_after` ago; the jobs stay, as RETIRED."""
    due = Job.objects.filter(
        state__in=sources(State.RETIRED), ended_at__lte=now - retire_after
    ).order_by("id")
    number = 0
    for job in due:
        with transaction.atomic():
            retired = Job.objects.filter(pk=job.pk, state=job.state).update(
                state=State.RETIRED, deleted_at=now, password=""
            )
            if not retired:  # its owner restarted or deleted it just now
                continue
            job.outputs.all().delete()
        workspaces.remove_workspace(job.pk)
        number += 1
    return number


def remove_orphans(*, now: datetime) -> int:
    """Delete workspaces without a job, which a server leaves that is killed in a submission."""
    old = workspaces.workspaces_older_than(now - _ORPHAN_AGE)
    orphans = old - set(Job.objects.filter(pk__in=old).values_list("pk", flat=True))
    for job_id in sorted(orphans):
        workspaces.remove_workspace(job_id)
    return len(orphans)


def _is_new(job_id: str, server: UUID, number: int) -> bool:
    """Count event `number` as applied; false when it is already.

    Raises:
        RunLost: Another server has the job.
    """
    mine = Job.objects.filter(pk=job_id, server=server, state__in=_WORKING)
    if mine.filter(events_applied=number - 1).update(events_applied=number):
        return True
    if mine.filter(events_applied__gte=number).exists():
        return False
    raise RunLost(job_id)


def _step(job_id: str, name: str) -> Step:
    steps = Step.objects.filter(job_id=job_id)
    step = steps.filter(name=name).order_by("position").first()
    if step is None:
        last = steps.aggregate(last=Max("position"))["last"] or len(STEPS)
        step = Step.objects.create(job_id=job_id, position=last + 1, name=name)
    return step
