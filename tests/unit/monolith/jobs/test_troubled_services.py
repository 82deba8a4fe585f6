"""Silent services, full disks and faults of our own, as the owner of a job sees them."""

from datetime import timedelta
from typing import Any

import pytest

from apps.federation.protocol import ExternalFile
from federated_imputation.monolith.jobs import decisions, lease, looks, worker
from federated_imputation.monolith.jobs.models import JobWork
from federated_imputation.monolith.registry import standing
from federated_imputation.monolith.registry.models import ImputationService
from tests.job_world import FILES, World
from tests.michigan_troubles import Reply, Reset


class Fault(Exception):
    """What nobody foresaw."""


def advance(world: World, job_id: Any, **seams: Any) -> bool:
    return worker.advance(
        job_id,
        **{"clock": world.clock, "connect": world.connect, "jitter": lambda: 0.0, **seams},
    )


def go_on(world: World, job_id: Any) -> None:
    due_at = JobWork.objects.get(job_id=job_id).next_poll_at
    assert due_at is not None
    world.clock.now = max(world.clock.now, due_at)


def test_silent_service_is_left_alone_and_every_job_says_so(world: World):
    jobs = [world.submit() for _ in range(8)]
    world.server.next("any", *[Reset()] * 5)
    world.step()

    assert len(world.server.requests) == 5
    for job_id in jobs:
        assert world.job(job_id).status == "queued"
        assert "Nothing was sent" in world.messages(job_id)[-1]
    held_back = [job_id for job_id in jobs if "Next try at 12:00:15" in world.messages(job_id)[-1]]
    assert len(held_back) == 3
    assert "does not answer since 2026-03-01 12:00 UTC" in world.messages(held_back[0])[-1]

    for job_id in jobs:
        assert world.finish(job_id).status == "completed"
    assert sorted(world.server.submissions.values()) == [1] * 8
    assert not standing.standing_of(world.service.pk).is_open


def test_job_held_back_for_a_day_fails_and_a_silence_is_told_once(world: World):
    url = world.service.api_url
    ImputationService.objects.update(api_url="http://127.0.0.1:1")
    job_id = world.submit()
    for _ in range(12):
        go_on(world, job_id)
        world.step()
    held = [message for message in world.messages(job_id) if "does not answer since" in message]
    assert len(held) <= 1
    world.clock.move(timedelta(days=1))
    world.step()

    assert world.job(job_id).status == "failed"
    assert "for a day" in world.job(job_id).error_message
    ImputationService.objects.update(api_url=url)


def test_refusals_never_hold_a_service_back(world: World):
    job_id = world.submit()
    world.step()
    world.server.next("job", *[Reply(401, {"message": "No.", "success": False})] * 20)

    assert world.finish(job_id).status == "completed"
    assert not standing.standing_of(world.service.pk).failures


def test_full_disk_makes_a_job_wait_and_spends_no_download(world: World):
    room = [0]
    job_id = world.submit()

    def step() -> None:
        go_on(world, job_id)
        advance(world, job_id, room=lambda _folder: room[0])

    for _ in range(12):
        step()
    assert world.job(job_id).status == "running"
    assert world.server.count("download") == 0
    told = [message for message in world.messages(job_id) if "not enough room" in message]
    assert len(told) == 1

    room[0] = 10**12
    for _ in range(5):
        if world.job(job_id).status == "running":
            step()

    assert world.job(job_id).status == "completed"
    assert world.server.count("download") == len(FILES)


@pytest.mark.parametrize(
    ("size", "bytes_"),
    [
        ("314 MB", 314 * 2**20),
        ("1.5 GB", 3 * 2**29),
        ("760 bytes", 760),
        ("12 KB", 12 * 2**10),
        ("", 0),
        ("huge", 0),
    ],
)
def test_room_for_a_file_is_what_the_service_says_and_some(size: str, bytes_: int):
    needed = decisions.room_needed(ExternalFile(name="x", locator="y", size_text=size))

    assert bytes_ + 2**26 <= needed <= 1.1 * bytes_ + 2**26


def test_step_that_is_lost_again_and_again_backs_off_and_says_so(world: World):
    job_id = world.submit()

    def broken(**_: Any) -> Any:
        raise Fault

    for lost in range(6):
        row = JobWork.objects.get(job_id=job_id)
        assert row.next_poll_at is not None
        world.clock.now = max(
            world.clock.now, row.next_poll_at, row.lease_until or row.next_poll_at
        )
        if lost >= 3:
            assert advance(world, job_id, connect=broken) is False
            go_on(world, job_id)
        with pytest.raises(Fault):
            advance(world, job_id, connect=broken)

    told = [message for message in world.messages(job_id) if "could not finish" in message]
    assert len(told) == 1
    assert "3 times in a row" in told[0]
    assert "on our side" in told[0]

    world.clock.move(lease.LEASE + timedelta(seconds=1))
    assert world.finish(job_id).status == "completed"
    assert JobWork.objects.get(job_id=job_id).lost_steps == 0


def test_fault_in_one_look_does_not_harm_the_others_of_its_batch(world: World):
    jobs = [world.submit() for _ in range(3)]
    world.step()
    world.clock.move(timedelta(seconds=2))
    poison = world.job(jobs[0]).external_job_id

    def connect(**who: Any) -> Any:
        service = world.connect(**who)
        ask = service.job

        def job(external_id: str) -> Any:
            if external_id == poison:
                raise Fault
            return ask(external_id)

        service.job = job  # type: ignore[method-assign]
        return service

    (batch,) = lease.claim_due_looks(now=world.clock())
    assert sorted(batch) == sorted(jobs)
    with pytest.raises(Fault):
        looks.look(batch, clock=world.clock, connect=connect, jitter=lambda: 0.0)

    for job_id in jobs[1:]:
        assert JobWork.objects.get(job_id=job_id).lease_until is None
    assert JobWork.objects.get(job_id=jobs[0]).lease_until is not None
    world.clock.move(lease.LOOK_LEASE)
    for job_id in jobs:
        assert world.finish(job_id).status == "completed"


def test_batch_of_looks_ends_at_the_first_silence(world: World):
    jobs = [world.submit() for _ in range(4)]
    world.step()
    world.clock.move(timedelta(seconds=2))
    world.server.next("job", Reset())
    before = world.server.count("job")

    (batch,) = lease.claim_due_looks(now=world.clock())
    looks.look(batch, clock=world.clock, connect=world.connect, jitter=lambda: 0.0)

    assert world.server.count("job") == before + 1
    assert not JobWork.objects.filter(lease_until__isnull=False).exists()
    for job_id in jobs:
        assert world.finish(job_id).status == "completed"


def test_quiet_looks_cost_few_statements(world: World, django_assert_max_num_queries):
    world.server.states = (2,)
    jobs = [world.submit() for _ in range(10)]
    for _ in range(4):
        world.step()
        world.clock.move(timedelta(seconds=40))

    (batch,) = lease.claim_due_looks(now=world.clock())
    with django_assert_max_num_queries(8):
        looks.look(batch, clock=world.clock, connect=world.connect, jitter=lambda: 0.0)

    assert len(batch) == len(jobs)
    assert not JobWork.objects.filter(next_poll_at__lte=world.clock()).exists()
