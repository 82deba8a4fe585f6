"""Whose the database is: the keeper in this process, beside a server that it does not know."""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event
from uuid import uuid4

import pytest
from django.utils import timezone

from apps.node import workspaces
from apps.node.models import Job, NodeStatus
from apps.node.operations import runs
from apps.node.runner import AnotherServer, Runner
from apps.node.states import State
from tests.unit.apps.node.scenes import finished_job

pytestmark = pytest.mark.django_db(transaction=True)
QUICK = timedelta(milliseconds=50)


def runner(
    end_process: Callable[[], None] = lambda: None, now: Callable[[], datetime] = timezone.now
) -> Runner:
    return Runner(slots=0, lock_patience=QUICK, keep_every=QUICK, end_process=end_process, now=now)


def test_a_second_runner_is_refused_until_the_first_has_stopped(db):
    first, second, third = runner(), runner(), runner()
    first.start()
    with pytest.raises(AnotherServer):
        second.start()
    assert NodeStatus.objects.get().server == first.server
    first.stop()
    third.start()
    assert NodeStatus.objects.get().server == third.server
    third.stop()


def test_a_runner_buries_the_jobs_before_it_and_keeps_maintenance(amina):
    NodeStatus.objects.create(maintenance=True)
    NodeStatus.objects.update(maintenance=False)
    job = amina.submitted()
    NodeStatus.objects.update(maintenance=True)
    starting = runner()
    starting.start()
    starting.stop()
    assert Job.objects.get(pk=job.pk).state == State.DEAD
    assert NodeStatus.objects.get().maintenance is True


def test_a_runner_whose_database_was_taken_over_ends_its_process(db):
    ended = Event()
    replaced = runner(end_process=ended.set)
    replaced.start()
    runs.begin_service(server=uuid4(), now=timezone.now())
    assert ended.wait(20)
    replaced.stop()


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.moment = timezone.now()

    def __call__(self) -> datetime:
        return self.moment


def state_becomes(job: Job, wanted: State) -> bool:
    """Whether the job gets there in some seconds; the keeper looks in its own time."""
    looked = Event()
    for _ in range(400):
        if Job.objects.get(pk=job.pk).state == wanted:
            return True
        looked.wait(0.05)
    return False


def test_a_runner_gives_notice_and_retires_by_its_clock(amina, settings):
    job = finished_job(amina.submitted())
    ended = Job.objects.get(pk=job.pk).ended_at
    assert ended is not None
    clock = Clock()
    keeping = runner(now=clock)
    keeping.start()
    try:
        clock.moment = ended + timedelta(days=settings.NODE_NOTICE_DAYS)
        assert state_becomes(job, State.SUCCESS_NOTIFIED)
        told = Job.objects.get(pk=job.pk).deleted_at
        assert told is not None
        assert told == ended + timedelta(days=settings.NODE_RETENTION_DAYS)
        assert (workspaces.workspace(job.pk) / "output" / "qc_report.txt").is_file()
        clock.moment = told
        assert state_becomes(job, State.RETIRED)
    finally:
        keeping.stop()
    assert not workspaces.workspace(job.pk).exists()
    assert amina.get(f"/api/v2/jobs/{job.pk}").json()["outputParams"] == []
