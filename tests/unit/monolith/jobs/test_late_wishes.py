"""Cancelling a job that the service is done with, and services that ask for too much patience."""

from datetime import timedelta
from uuid import UUID

import pytest

from federated_imputation.monolith.jobs.models import JobWork
from federated_imputation.monolith.jobs.pace import back_off_seconds
from tests.job_world import World
from tests.michigan_troubles import Reply

BROKEN = Reply(500, "Out of order.")


def job_that_is_fetched(world: World) -> UUID:
    world.server.states = (4,)
    world.server.next("download", *[BROKEN] * 200)
    job_id = world.submit()
    while JobWork.objects.get(job_id=job_id).phase != "fetch":
        world.go_on(job_id)
    return job_id


def test_cancel_while_files_are_fetched_says_that_it_is_too_late(world: World):
    job_id = job_that_is_fetched(world)

    world.cancel(job_id)

    assert "done with the job already" in world.messages(job_id)[-1]


def test_files_that_cannot_be_had_do_not_hold_a_cancelled_job_for_days(world: World):
    job_id = job_that_is_fetched(world)

    world.cancel(job_id)
    begun = world.clock()

    job = world.finish(job_id)

    assert job.status == "failed"
    assert world.clock() - begun < timedelta(hours=1)


@pytest.mark.parametrize(("asked", "waited"), [(90.0, 90.0), (3600.0, 3600.0), (999_999.0, 3600.0)])
def test_patience_that_a_service_asks_for_is_bounded(asked: float, waited: float):
    assert back_off_seconds(1, jitter=0.0, retry_after=asked) == waited
