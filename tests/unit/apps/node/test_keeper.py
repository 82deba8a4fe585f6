"""Whose the database is: the keeper in this process, beside a server that it does not know."""

from collections.abc import Callable
from datetime import timedelta
from threading import Event
from uuid import uuid4

import pytest
from django.utils import timezone

from apps.node.models import Job, NodeStatus
from apps.node.operations import runs
from apps.node.runner import AnotherServer, Runner
from apps.node.states import State

pytestmark = pytest.mark.django_db(transaction=True)
QUICK = timedelta(milliseconds=50)


def runner(end_process: Callable[[], None] = lambda: None) -> Runner:
    return Runner(slots=0, lock_patience=QUICK, keep_every=QUICK, end_process=end_process)


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
