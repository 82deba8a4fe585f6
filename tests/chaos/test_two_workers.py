"""Two workers on one job, let go together: one does the step, the other does nothing."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from federated_imputation.monolith.jobs import lease, worker
from federated_imputation.monolith.jobs.models import JobWork
from tests.job_world import FILES, World
from tests.michigan_server import MichiganServer

WORKERS = 4


@pytest.fixture
def world(transactional_db, settings, tmp_path) -> Iterator[World]:
    settings.DATA_ROOT = str(tmp_path)
    with MichiganServer() as server:
        server.states = (1, 2, 4)
        yield World(server)


def step_together(world: World, job_id: UUID) -> None:
    """Every worker does the job's next step, all from one moment on."""
    barrier = threading.Barrier(WORKERS)

    def step(_: int) -> None:
        try:
            barrier.wait()
            worker.advance(job_id, clock=world.clock, connect=world.connect, jitter=lambda: 0.0)
        finally:
            connection.close()

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(step, range(WORKERS)))


def test_every_step_of_a_job_is_done_once_however_many_workers_come(world: World):
    job_id = world.submit()
    for _ in range(50):
        due_at = JobWork.objects.get(job_id=job_id).next_poll_at
        if due_at is None:
            break
        world.clock.now = max(world.clock.now, due_at)
        step_together(world, job_id)

    assert world.job(job_id).status == "completed", world.messages(job_id)
    assert world.server.submissions == {f"fip-{job_id}": 1}
    assert world.stored(job_id) == FILES
    (external,) = world.server.jobs.values()
    assert dict(external.downloaded) == dict.fromkeys(FILES, 1)
    messages = world.messages(job_id)
    for beginning in ("Sending the file", "The service accepted the job", "Completed:"):
        assert sum(message.startswith(beginning) for message in messages) == 1, messages


def test_two_ticks_at_once_announce_a_job_once(world: World):
    jobs = {world.submit() for _ in range(6)}
    barrier = threading.Barrier(2)

    def tick(_: int) -> list[Any]:
        try:
            barrier.wait()
            return list(lease.claim_due(now=world.clock(), most=len(jobs)))
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        announced = [job for found in pool.map(tick, range(2)) for job in found]
    assert sorted(announced) == sorted(jobs)
