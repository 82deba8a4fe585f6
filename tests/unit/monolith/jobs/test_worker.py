"""Who may work on a job, when, and what happens when two want to. Races run on barriers."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import redis
from django.conf import settings as django_settings
from django.db import connection, transaction

from federated_imputation.monolith.jobs import dispatch, lease, tasks, worker
from federated_imputation.monolith.jobs.lease import LEASE, claim, held
from federated_imputation.monolith.jobs.models import JobStatusUpdate, JobWork
from federated_imputation.monolith.jobs.operations import NotAllowedNow
from tests.job_world import World
from tests.michigan_troubles import CutRequest, Silence

PATIENCE = 20.0


class Meanwhile:
    """A service at which one call, named `method`, waits until the test lets it go."""

    def __init__(self, world: World, method: str, *, after: bool = False) -> None:
        self._world = world
        self._method = method
        self._after = after
        self.arrived = threading.Event()
        self.go_on = threading.Event()

    def connect(self, **who: Any) -> Any:
        service = self._world.connect(**who)
        original = getattr(service, self._method)

        def waiting(*args: Any, **options: Any) -> Any:
            result = original(*args, **options) if self._after else None
            self.arrived.set()
            assert self.go_on.wait(PATIENCE)
            return result if self._after else original(*args, **options)

        setattr(service, self._method, waiting)
        return service


@contextmanager
def in_thread(act: Callable[[], Any]) -> Iterator[list[Any]]:
    """Run `act` beside the block on a connection of its own; its result is there at the end."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(act())
        except BaseException as error:
            results.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield results
    finally:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def advance(world: World, job_id: UUID, connect: Any = None) -> bool:
    return worker.advance(
        job_id, clock=world.clock, connect=connect or world.connect, jitter=lambda: 0.0
    )


def work_of(job_id: UUID) -> JobWork:
    return JobWork.objects.get(job_id=job_id)


def test_announced_job_is_not_announced_again_until_its_message_may_be_lost(world: World):
    job_id = world.submit()

    assert lease.claim_due(now=world.clock()) == [job_id]
    assert lease.claim_due(now=world.clock()) == []
    world.clock.move(timedelta(seconds=29))
    assert lease.claim_due(now=world.clock()) == []
    world.clock.move(timedelta(seconds=1))
    assert lease.claim_due(now=world.clock()) == [job_id]


def test_ticks_that_overlap_announce_different_jobs(world: World):
    first, second = world.submit(), world.submit()

    with transaction.atomic():
        mine = lease.claim_due(now=world.clock(), most=1)
        with in_thread(lambda: lease.claim_due(now=world.clock())) as theirs:
            pass

    assert sorted([*mine, *theirs[0]]) == sorted([first, second])
    assert len(mine) == 1


def test_job_that_is_not_due_is_left_alone(world: World):
    job_id = world.submit()
    JobWork.objects.update(next_poll_at=world.clock() + timedelta(seconds=1))

    assert advance(world, job_id) is False
    assert not world.server.requests


def test_message_for_a_job_that_is_gone_or_over_does_nothing(world: World):
    job_id = world.submit()
    world.finish(job_id)
    before = len(world.server.requests)

    assert advance(world, job_id) is False
    world.job(job_id).delete()
    assert advance(world, job_id) is False
    assert len(world.server.requests) == before


def test_two_workers_submit_a_job_once(world: World):
    job_id = world.submit()
    together = threading.Barrier(2)

    def work() -> bool:
        together.wait(PATIENCE)
        return advance(world, job_id)

    with in_thread(work), in_thread(work):
        pass

    assert world.server.count("submit") == 1
    assert world.finish(job_id).status == "completed"
    assert world.server.submissions == {f"fip-{job_id}": 1}


def test_job_is_not_taken_from_a_worker_that_holds_it(world: World):
    job_id = world.submit()
    slow = Meanwhile(world, "submit")

    with in_thread(lambda: advance(world, job_id, slow.connect)):
        assert slow.arrived.wait(PATIENCE)
        assert advance(world, job_id) is False
        assert lease.claim_due(now=world.clock()) == []
        slow.go_on.set()

    assert world.server.count("submit") == 1


def test_worker_that_lost_its_lease_writes_nothing(world: World):
    job_id = world.submit()
    slow = Meanwhile(world, "submit", after=True)

    with in_thread(lambda: advance(world, job_id, slow.connect)) as result:
        assert slow.arrived.wait(PATIENCE)
        world.clock.move(LEASE)
        assert advance(world, job_id) is True  # finds the submission and follows it
        before = JobStatusUpdate.objects.count(), work_of(job_id).fence
        slow.go_on.set()

    assert result == [False]
    assert (JobStatusUpdate.objects.count(), work_of(job_id).fence) == before
    assert world.finish(job_id).status == "completed"
    assert world.server.submissions == {f"fip-{job_id}": 1}


def test_lease_is_renewed_while_a_call_is_long(world: World):
    job_id = world.submit()
    taken = claim(job_id, now=world.clock())
    assert taken is not None
    beaten = threading.Semaphore(0)
    later = world.clock() + timedelta(seconds=20)

    def clock():
        beaten.release()
        return later

    with held(taken, clock=clock, every=0.01):
        for _ in range(2):  # the second beat begins when the first is written
            assert beaten.acquire(timeout=PATIENCE)

    assert work_of(job_id).lease_until == later + LEASE


def test_lease_is_not_renewed_for_a_worker_that_lost_it(world: World):
    job_id = world.submit()
    taken = claim(job_id, now=world.clock())
    assert taken is not None
    JobWork.objects.update(fence=taken.fence + 1)
    beaten = threading.Event()

    def clock():
        beaten.set()
        return world.clock() + timedelta(days=1)

    with held(taken, clock=clock, every=0.01):
        assert beaten.wait(PATIENCE)

    assert work_of(job_id).lease_until == world.clock() + LEASE


def test_cancel_while_the_submission_is_prepared_sends_nothing(world: World):
    job_id = world.submit()
    slow = Meanwhile(world, "discover")

    with in_thread(lambda: advance(world, job_id, slow.connect)) as result:
        assert slow.arrived.wait(PATIENCE)
        world.cancel(job_id)
        slow.go_on.set()

    assert result == [False]
    assert world.job(job_id).status == "cancelled"
    assert world.server.count("submit") == 0
    assert [event.status for event in world.events(job_id)] == ["pending", "cancelled"]


def test_cancel_while_the_file_is_sent_cancels_it_at_the_service(world: World):
    world.server.states = (1, 2, 2, 2, 4)
    job_id = world.submit()
    slow = Meanwhile(world, "submit")

    with in_thread(lambda: advance(world, job_id, slow.connect)) as result:
        assert slow.arrived.wait(PATIENCE)
        world.cancel(job_id)
        assert world.job(job_id).status == "queued"
        slow.go_on.set()

    assert result == [True]  # the worker is told at once
    assert world.finish(job_id).status == "cancelled"
    assert world.server.count("cancel") == 1
    assert "The service cancelled the job, as asked." in world.messages(job_id)


def test_cancel_while_a_poll_is_under_way_is_asked_next(world: World):
    world.server.states = (2, 2, 2, 2, 4)
    job_id = world.submit()
    world.step()
    world.clock.move(timedelta(seconds=40))
    slow = Meanwhile(world, "job", after=True)

    with in_thread(lambda: advance(world, job_id, slow.connect)) as result:
        assert slow.arrived.wait(PATIENCE)
        world.cancel(job_id)
        slow.go_on.set()

    assert result == [True]
    assert world.finish(job_id).status == "cancelled"


def test_job_that_finishes_before_the_cancellation_is_completed(world: World):
    world.server.states = (4,)
    job_id = world.submit()
    world.step()

    world.cancel(job_id)
    job = world.finish(job_id)

    assert job.status == "completed"
    assert any("before it could be cancelled" in message for message in world.messages(job_id))


def test_cancel_of_an_uncertain_submission_that_arrived_reaches_the_service(world: World):
    world.server.states = (1, 2, 2, 2, 4)
    world.server.next("submit", Silence())
    job_id = world.submit()
    world.step()

    world.cancel(job_id)

    assert world.job(job_id).status == "queued"
    assert world.finish(job_id).status == "cancelled"
    assert world.server.count("cancel") == 1
    assert world.server.count("submit") == 1


def test_cancel_of_an_uncertain_submission_that_never_arrived_sends_nothing_more(world: World):
    world.server.next("submit", CutRequest(after=10))
    job_id = world.submit()
    world.step()

    world.cancel(job_id)

    assert world.finish(job_id).status == "cancelled"
    assert world.server.count("submit") == 1


def test_two_retries_at_once_are_one_attempt(world: World):
    world.server.states = (5,)
    job_id = world.submit()
    world.finish(job_id)
    together = threading.Barrier(2)

    def retry() -> None:
        together.wait(PATIENCE)
        world.retry(job_id)

    with in_thread(retry) as first, in_thread(retry) as second:
        pass

    assert {type(first[0]), type(second[0])} == {type(None), NotAllowedNow}
    assert work_of(job_id).attempt == 2


def test_cancel_and_the_end_of_a_job_agree_on_one_truth(world: World):
    world.server.states = (6,)
    job_id = world.submit()
    world.step()
    world.clock.move(timedelta(seconds=5))
    together = threading.Barrier(2)

    def cancel() -> None:
        together.wait(PATIENCE)
        world.cancel(job_id)

    def work() -> bool:
        together.wait(PATIENCE)
        return advance(world, job_id)

    with in_thread(cancel), in_thread(work):
        pass

    assert world.finish(job_id).status == "cancelled"
    assert [event.status for event in world.events(job_id)].count("cancelled") == 1


@pytest.fixture
def no_broker(settings):
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    dispatch._producer.cache_clear()
    yield
    dispatch._producer.cache_clear()


def test_job_is_submitted_without_a_broker_once_the_tick_finds_it(world: World, no_broker, caplog):
    with caplog.at_level(logging.WARNING):
        job_id = world.submit()

    assert "The broker does not answer" in caplog.text
    assert world.finish(job_id).status == "completed"


def test_tick_announces_due_jobs_to_the_workers(world: World):
    with redis.Redis.from_url(django_settings.CELERY_BROKER_URL) as broker:
        job_id = world.submit()
        broker.delete("celery")
        JobWork.objects.update(next_poll_at=world.clock() - timedelta(days=365))

        tasks.tick()

        messages = [message.decode() for message in broker.lrange("celery", 0, -1)]
        broker.delete("celery")
    assert len(messages) == 1
    assert '"jobs.advance"' in messages[0]
    assert work_of(job_id).dispatched_until is not None


def test_sweep_takes_uploads_without_a_job(world: World, tmp_path):
    kept = str(world.job(world.submit()).input_file)
    orphan = tmp_path / "uploads" / "input" / "orphan.vcf.gz"
    orphan.write_bytes(b"x")
    for path in (orphan, tmp_path / kept):
        os.utime(path, (0, 0))

    tasks.sweep()

    assert not orphan.exists()
    assert (tmp_path / kept).exists()
