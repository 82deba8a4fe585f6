"""Slow services, and a worker's threads that others need."""

import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_imputation.monolith.jobs import lease, queries, tasks
from federated_imputation.monolith.jobs.models import ImputationJob, JobWork
from federated_imputation.monolith.jobs.turns import Turns, may_enter
from tests.factories import NOW, make_panel, make_service, make_user
from tests.job_world import World

THREADS = 32
PATIENCE = 30.0


class Worker:
    """The threads of a worker process, and a queue of announced steps for them."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._turns = Turns(threads=THREADS)
        self.began: queue.Queue[int] = queue.Queue()
        self.done: Counter[tuple[int, int]] = Counter()
        self.all_done = threading.Semaphore(0)

    def announce(self, service: int, number: int, call: Callable[[], object]) -> None:
        self._pool.submit(self._step, service, number, call)

    def _step(self, service: int, number: int, call: Callable[[], object]) -> None:
        again = partial(self.announce, service, number, call)
        with self._turns.turn(service, step=number, again=again) as is_our_turn:
            if is_our_turn:
                self.began.put(service)
                call()
                self.done[service, number] += 1
                self.all_done.release()


@contextmanager
def working() -> Iterator[Worker]:
    with ThreadPoolExecutor(THREADS) as pool:
        yield Worker(pool)


@given(st.lists(st.integers(1, 6), max_size=200), st.integers(1, 40))
def test_a_service_never_holds_more_than_it_leaves(asking, threads):
    holding: Counter[int] = Counter()
    for service in asking:
        if sum(holding.values()) < threads and may_enter(service, holding=holding, threads=threads):
            holding[service] += 1
            assert holding[service] == 1 or holding[service] <= 1 + threads - sum(holding.values())

    alone = [service for service in set(asking) if not holding[service]]
    assert not alone or sum(holding.values()) == threads


@pytest.mark.parametrize("slow", [1, 4])
def test_slow_services_leave_threads_to_the_others(slow: int):
    steps = 2 * THREADS
    answer = threading.Event()
    with working() as worker:
        try:
            for number in range(steps):
                for service in range(slow):
                    worker.announce(service, number, lambda: answer.wait(PATIENCE))
            # Each of them has a thread, and the first half of all threads.
            held = Counter(worker.began.get(timeout=PATIENCE) for _ in range(THREADS // 2))
            for number in range(10):
                worker.announce(slow + 1, number, lambda: None)
                while worker.began.get(timeout=PATIENCE) != slow + 1:
                    pass
                assert worker.all_done.acquire(timeout=PATIENCE)
            assert not answer.is_set()
            assert set(held) == set(range(slow))
        finally:
            answer.set()
        for _ in range(steps * slow):
            assert worker.all_done.acquire(timeout=PATIENCE)
    assert set(worker.done.values()) == {1}
    assert len(worker.done) == steps * slow + 10


def test_a_step_that_fails_leaves_its_turn_to_the_next():
    turns = Turns(threads=2)
    announced: list[str] = []

    def fails() -> None:
        with turns.turn(1, step="first", again=lambda: None) as is_our_turn:
            assert is_our_turn
            for _ in range(2):
                with turns.turn(1, step="second", again=lambda: announced.append("second")) as mine:
                    assert not mine
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert announced == ["second"]


def test_looks_that_a_slow_service_is_behind_with_keep_no_other_waiting(db):
    user, due = make_user(), NOW - timedelta(minutes=1)

    def follow(name: str, *, jobs: int, since: datetime) -> None:
        panel = make_panel(make_service(name))
        made = ImputationJob.objects.bulk_create(
            ImputationJob(
                user=user,
                service=panel.service,
                reference_panel=panel,
                name=name,
                status="running",
                created_at=since,
            )
            for _ in range(jobs)
        )
        JobWork.objects.bulk_create(
            JobWork(job=job, phase=JobWork.Phase.FOLLOW, next_poll_at=since) for job in made
        )

    follow("slow", jobs=900, since=due)
    follow("quick", jobs=3, since=NOW)

    claimed = [lease.claim_due_looks(now=NOW, most=400) for _ in range(3)]

    assert [[len(batch) for batch in batches] for batches in claimed] == [[100] * 4, [3], []]
    later = NOW + timedelta(seconds=30)
    assert [len(batch) for batch in lease.claim_due_looks(now=later, most=400)] == [100] * 4


def test_the_service_of_jobs_is_found_as_long_as_one_is_there(world: World):
    first, second = world.submit(), world.submit()
    world.job(first).delete()

    assert queries.service_of(job_ids=[first, second]) == world.service.pk
    world.job(second).delete()
    assert queries.service_of(job_ids=[first, second]) is None
    tasks.advance(str(first))
    tasks.look([str(first), str(second)])
