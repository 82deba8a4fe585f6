"""A worker is killed before and after every SQL statement and every outgoing call of one job.

Each point gets a job of its own. A forked worker runs the real tick and the real steps on it and
kills itself (SIGKILL) at the point; later, fresh workers find what it left and finish the job. No
point is skipped by `make chaos`; a short run takes every eighth on each side. A first run without
a kill counts them.

Between a statement and the COMMIT after it there is no point of its own: killed after the last
statement is killed before the COMMIT, and killed before the next one is killed after it. What
this cannot see: a power cut (nothing is unsynced here) and a kill in the middle of a call's bytes,
which is tested as a cut connection in `tests/unit/monolith/jobs/test_life.py`.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from hashlib import sha256
from itertools import pairwise
from typing import Any, Literal
from uuid import UUID

import pytest
from django.db import connection
from requests.adapters import HTTPAdapter

from apps.shared.http.client import GuardedClient
from federated_imputation.monolith.jobs.states import Status, move
from federated_imputation.monolith.registry.models import ServiceStanding
from tests.factories import NOW
from tests.job_world import FILES, Clock, World
from tests.michigan_server import MichiganServer

Side = Literal["before", "after"]
# Longer than any lease: whoever held the job is known to be gone.
LATER = timedelta(hours=1)


@pytest.fixture
def world(transactional_db, settings, tmp_path) -> Iterator[World]:
    settings.DATA_ROOT = str(tmp_path)
    with MichiganServer() as server:
        server.states = (1, 2, 4)
        yield World(server)


@dataclass
class Points:
    """Counts what the worker does, and at one point ends it."""

    kill_at: int | None = None
    side: Side = "before"
    seen: list[str] = field(default_factory=list)

    def passing(self, what: str, act: Callable[[], Any]) -> Any:
        number = len(self.seen)
        self.seen.append(what)
        if number == self.kill_at and self.side == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = act()
        if number == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    def statement(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        return self.passing(sql[:70], lambda: execute(sql, params, many, context))


class CountedTransport(HTTPAdapter):
    """The network, with every call counted."""

    def __init__(self, points: Points) -> None:
        super().__init__()
        self._points = points

    def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        call = partial(super().send, request, *args, **kwargs)
        return self._points.passing(f"{request.method} {request.path_url[:30]}", call)


def watch(world: World, points: Points) -> None:
    """Count what the worker does from now on, in this process."""
    world.client = GuardedClient(
        allow=frozenset({world.server.target}), transport=CountedTransport(points)
    )
    world.watching = lambda: connection.execute_wrapper(points.statement)


def kill_a_worker(world: World, job_id: UUID, points: Points) -> None:
    """Fork a worker that lives the job until its point and dies there; bury it."""
    connection.close()
    child = os.fork()
    if child == 0:
        try:
            watch(world, points)
            world.finish(job_id)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "The worker came through: its point was never reached."
    assert os.WTERMSIG(status) == signal.SIGKILL
    with connection.cursor() as cursor:  # its server processes may not have noticed yet
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def check(world: World, job_id: UUID, *, lost_downloads: int = 0) -> None:
    """What must hold for a job after any crash, once it is over.

    Args:
        lost_downloads: Those that the service had begun to answer when the worker was killed.
    """
    job, events = world.job(job_id), world.events(job_id)
    messages = [event.message for event in events]
    tag = f"fip-{job_id}"

    assert job.status == "completed", messages
    assert world.server.submissions[tag] == 1, messages
    assert not any(name.startswith(f"{tag}-") for name in world.server.submissions)
    external = next(found for found in world.server.jobs.values() if found.name == tag)
    assert job.external_job_id == external.id

    assert world.stored(job_id) == FILES
    assert job.files.count() == len(FILES)
    for file in job.files.all():
        assert file.checksum == sha256(FILES[file.filename]).hexdigest()
        assert file.file_size == len(FILES[file.filename])
    assert sum(external.downloaded.values()) == len(FILES) + lost_downloads

    for before, after in pairwise(Status(event.status) for event in events):
        move(before, after)
    progress = [event.progress_percentage for event in events]
    assert progress == sorted(progress)
    times = [event.timestamp for event in events]
    assert times == sorted(times)
    arrivals = ("The service accepted the job", "Found at the service")
    assert sum(message.startswith(arrivals) for message in messages) == 1, messages
    for name in FILES:
        assert sum(message.startswith(f"Fetched {name} ") for message in messages) == 1, messages
    assert messages[-1].startswith("Completed:")
    assert job.work.lease_until is None


@pytest.mark.parametrize(("side", "first"), [("before", 0), ("after", 4)])
def test_job_ends_right_when_its_worker_is_killed(world: World, side: Side, first: int):
    kill_at_points(world, side=side, points=slice(first, None, 8))


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("side", ["before", "after"])
def test_job_ends_right_whenever_its_worker_is_killed(world: World, side: Side):
    kill_at_points(world, side=side, points=slice(None))


def forget_standing() -> None:
    """Make the next job the first at its service, which has one statement more than the others."""
    ServiceStanding.objects.all().delete()


def kill_at_points(world: World, *, side: Side, points: slice) -> None:
    counted = Points()
    watch(world, counted)
    forget_standing()
    whole = world.submit()
    world.finish(whole)
    check(world, whole)
    assert len(counted.seen) > 50
    assert sum("/api/v2/jobs/submit/" in what for what in counted.seen) == 1

    for number, what in list(enumerate(counted.seen))[points]:
        world.clock = Clock()
        unwatch(world)
        forget_standing()
        job_id = world.submit()
        kill_a_worker(world, job_id, Points(kill_at=number, side=side))
        world.clock = Clock(NOW + LATER)
        world.finish(job_id)
        try:
            is_lost = side == "after" and what.startswith("GET /share/results/")
            check(world, job_id, lost_downloads=int(is_lost))
        except AssertionError as error:
            error.add_note(f"Killed {side} point {number}: {what}")
            raise


def unwatch(world: World) -> None:
    world.client = GuardedClient(allow=frozenset({world.server.target}))
    world.watching = nullcontext
