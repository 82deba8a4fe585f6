"""A worker whose lease may have run out stops sending: a fence cannot hold back its bytes."""

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from apps.federation.protocol import Download, ExternalFile
from federated_imputation.monolith.jobs.decisions.submitting import LEAST_GRACE, grace
from federated_imputation.monolith.jobs.lease import LEASE, Hold, LeaseLost, claim
from federated_imputation.monolith.jobs.models import JobWork
from tests.bgzf import VCF, bgzf
from tests.job_world import FILES, World, upload
from tests.michigan_troubles import CutRequest, Reply


class WorkerDied(Exception):
    """In place of the signal that ends a worker."""


def delayed(world: World, method: str, *, before_byte: int) -> Callable[..., Any]:
    """The service, to which `method` hangs for longer than a lease when it has come so far."""

    def connect(**who: Any) -> Any:
        service = world.connect(**who)
        original = getattr(service, method)

        def hanging(*args: Any, progress: Callable[[int], None], **options: Any) -> Any:
            def late(done: int) -> None:
                if done >= before_byte:
                    world.clock.move(LEASE)
                progress(done)

            return original(*args, progress=late, **options)

        setattr(service, method, hanging)
        return service

    return connect


def after_download(world: World, name: str, then: Callable[[], None]) -> Callable[..., Any]:
    """The service; `then` happens when the file `name` is here, whole."""

    def connect(**who: Any) -> Any:
        service = world.connect(**who)
        original = service.download

        def download(file: ExternalFile, *args: Any, **options: Any) -> Download:
            fetched = original(file, *args, **options)
            if file.name == name:
                then()
            return fetched

        setattr(service, "download", download)  # noqa: B010
        return service

    return connect


def dies() -> None:
    raise WorkerDied


def is_overtaken() -> None:
    JobWork.objects.update(fence=F("fence") + 1, lease_until=None)


@pytest.mark.parametrize("before_byte", [0, 500_000])
def test_worker_that_may_have_lost_its_lease_sends_nothing_more(world: World, before_byte: int):
    study = upload(content=bgzf(VCF) + os.urandom(1_000_000))
    job_id = world.submit(input_file=study)

    world.step(delayed(world, "submit", before_byte=before_byte))

    assert not world.server.submissions
    assert JobWork.objects.get(job_id=job_id).phase == "submitting"
    assert world.finish(job_id).status == "completed"
    assert world.server.submissions == {f"fip-{job_id}": 1}


def test_worker_that_may_have_lost_its_lease_fetches_nothing_more(world: World):
    job_id = world.submit()
    while JobWork.objects.get(job_id=job_id).phase != "fetch":
        world.go_on(job_id, delayed(world, "download", before_byte=0))

    assert not world.stored(job_id)
    assert world.finish(job_id).status == "completed"
    assert world.stored(job_id) == FILES


@pytest.mark.parametrize("loses", [dies, is_overtaken])
@pytest.mark.parametrize("name", FILES)
def test_result_that_was_whole_when_its_worker_lost_the_job_costs_no_second_download(
    world: World, name: str, loses: Callable[[], None]
):
    job_id = world.submit()
    while world.server.count("download") <= list(FILES).index(name):
        with suppress(WorkerDied):
            world.go_on(job_id, after_download(world, name, loses))
    assert name not in world.stored(job_id)

    world.clock.move(LEASE)
    assert world.finish(job_id).status == "completed"
    assert world.stored(job_id) == FILES
    assert world.server.count("download") == len(FILES)


def test_lease_that_is_renewed_is_held_on(world: World):
    job_id = world.submit()
    claimed = claim(job_id, now=world.clock())
    assert claimed is not None
    hold = Hold(claimed, clock=world.clock)

    world.clock.move(LEASE - timedelta(seconds=1))
    assert hold.renew()
    world.clock.move(LEASE - timedelta(seconds=1))
    hold.check()
    world.clock.move(timedelta(seconds=1))
    with pytest.raises(LeaseLost):
        hold.check()


def test_lease_that_another_worker_took_is_lost_at_once(world: World):
    job_id = world.submit()
    claimed = claim(job_id, now=world.clock())
    assert claimed is not None
    hold = Hold(claimed, clock=world.clock)
    JobWork.objects.update(fence=claimed.fence + 1)

    assert not hold.renew()
    with pytest.raises(LeaseLost):
        hold.check()


def test_grace_grows_with_what_the_service_has_to_store():
    assert grace(1_000_000) - LEAST_GRACE < timedelta(seconds=1)
    assert timedelta(minutes=10) < grace(5_000_000_000) < timedelta(minutes=15)


def test_submission_that_never_arrived_is_sent_again_after_minutes(world: World):
    world.server.next("submit", CutRequest(after=100))
    job_id = world.submit()
    cut_at = world.clock()

    while world.server.count("submit") < 2:
        world.go_on(job_id)

    assert LEAST_GRACE <= world.clock() - cut_at < LEAST_GRACE + timedelta(minutes=1)


def test_service_must_answer_for_the_whole_grace_before_anything_is_sent_again(world: World):
    world.server.next("submit", CutRequest(after=100))
    job_id = world.submit()
    world.step()
    overloaded = Reply(503, {"message": "Overloaded.", "success": False})
    while world.server.count("list") < 8:
        world.server.next("list", overloaded)
        world.go_on(job_id)
    answers_again = world.clock()

    while world.server.count("submit") < 2:
        world.go_on(job_id)

    assert world.clock() - answers_again >= LEAST_GRACE
    assert world.finish(job_id).status == "completed"
