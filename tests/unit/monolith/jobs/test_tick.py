"""The tick's own thread."""

import threading

from django.db import OperationalError

from federated_imputation.monolith.jobs import tasks
from federated_imputation.monolith.jobs.models import JobWork
from tests.job_world import World

PATIENCE = 30.0


def test_tick_announces_from_its_own_thread_and_survives_a_lost_database(world: World):
    job_id = world.submit()
    JobWork.objects.update(dispatched_until=None)
    ending, ticked = threading.Event(), threading.Event()
    failures = [OperationalError("The database went away.")]

    def announce() -> None:
        if failures:
            raise failures.pop()
        tasks.announce()
        ticked.set()

    thread = threading.Thread(
        target=tasks.tick_until, args=(ending,), kwargs={"every": 0.01, "announce": announce}
    )
    thread.start()
    try:
        assert ticked.wait(PATIENCE)
    finally:
        ending.set()
        thread.join(PATIENCE)

    assert not thread.is_alive()
    assert JobWork.objects.get(job_id=job_id).dispatched_until is not None
