"""One study at two real scripted services, and everything that can happen at once."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test import Client

from apps.shared.http.client import GuardedClient
from federated_imputation.monolith.accounts.models import ServiceCredential
from federated_imputation.monolith.jobs.models import ImputationJob, ParentJob
from federated_imputation.monolith.jobs.parents import operations
from federated_imputation.monolith.registry.models import ReferencePanel
from tests.deletion_scene import finish_deletions
from tests.factories import make_panel, make_service
from tests.job_world import FILES, ORIGIN, PANEL, World, upload
from tests.locks import waiting_for_a_lock
from tests.michigan_server import MichiganServer

PATIENCE = 60.0


@dataclass
class TwoServices:
    """A world with a second server, which takes a token of its own."""

    world: World
    second: MichiganServer
    second_panel: ReferencePanel

    def submit(self) -> ParentJob:
        targets = [
            operations.Target(
                service=panel.service_id, reference_panel=panel.pk, user_token=server.token
            )
            for panel, server in (
                (self.world.panel, self.world.server),
                (self.second_panel, self.second),
            )
        ]
        return operations.create_parent(
            user_id=self.world.user.pk,
            new=operations.NewStudy(name="Study", targets=tuple(targets), input_file=upload()),
            origin=ORIGIN,
            now=self.world.clock(),
        )

    def children(self, parent: ParentJob) -> list[UUID]:
        return list(parent.children.order_by("position").values_list("job_id", flat=True))

    def client(self) -> Client:
        client = Client()
        client.force_login(self.world.user)
        return client

    def shown(self, parent: ParentJob) -> dict[str, Any]:
        answer: dict[str, Any] = self.client().get(f"/api/parent-jobs/{parent.pk}/").json()
        return answer


@pytest.fixture
def two(server: MichiganServer, transactional_db) -> Iterator[TwoServices]:
    with MichiganServer() as second:
        second.token = "another-token.9876543210"
        second.files = dict(FILES)
        client = GuardedClient(allow=frozenset({server.target, second.target}))
        world = World(server, client=client)
        service = make_service("EUR node", api_url=second.url, api_key_required=True)
        yield TwoServices(world, second, make_panel(service, PANEL))


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """What each returns or raises, all begun at the same moment in threads of their own."""
    together = threading.Barrier(len(acts))
    found: list[Any] = [None] * len(acts)

    def run(place: int, act: Callable[[], Any]) -> None:
        try:
            together.wait(PATIENCE)
            found[place] = act()
        except Exception as error:
            found[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place, act)) for place, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    return found


def test_study_is_imputed_by_both_services(two: TwoServices):
    two.second.states = (*[2] * 8, 4)
    parent = two.submit()
    first, second = two.children(parent)

    assert two.shown(parent)["status"] == "pending"
    two.world.finish(first)
    assert two.shown(parent)["status"] == "running"
    two.world.finish(second)

    shown = two.shown(parent)
    assert (shown["status"], shown["progress_percentage"]) == ("completed", 100)
    assert two.world.server.submissions == {f"fip-{first}": 1}
    assert two.second.submissions == {f"fip-{second}": 1}
    assert two.world.stored(first) == two.world.stored(second) == FILES


def test_job_that_failed_is_retried_alone_and_the_study_is_completed(two: TwoServices):
    two.second.states = (5,)
    parent = two.submit()
    first, second = two.children(parent)
    two.world.finish(first)
    two.world.finish(second)
    failed = two.shown(parent)
    assert failed["status"] == "failed"
    assert (failed["job_counts"]["completed"], failed["job_counts"]["failed"]) == (1, 1)
    assert failed["jobs"][1]["error_message"]
    assert two.world.stored(first) == FILES

    two.second.states = (4,)
    assert two.client().post(f"/api/jobs/{second}/retry/").status_code == 202
    assert two.shown(parent)["status"] == "running"
    two.world.finish(second)

    assert two.shown(parent)["status"] == "completed"
    assert two.world.server.submissions == {f"fip-{first}": 1}
    assert two.second.submissions == {f"fip-{second}": 1, f"fip-{second}-r2": 1}


def test_study_is_cancelled_at_both_services(two: TwoServices):
    parent = two.submit()
    two.world.step()
    assert len(two.world.server.jobs) == len(two.second.jobs) == 1

    assert two.client().post(f"/api/parent-jobs/{parent.pk}/cancel/").status_code == 202

    for job_id in two.children(parent):
        assert two.world.finish(job_id).status == "cancelled"
    assert two.shown(parent)["status"] == "cancelled"


def test_crash_before_the_end_of_the_transaction_leaves_no_row(two: TwoServices):
    """The database refuses the last row of all, as a crash would end the transaction there."""
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE imputation_childjob ADD CONSTRAINT broken CHECK (position < 1) NOT VALID"
        )
    try:
        with pytest.raises(Exception, match="broken"):
            two.submit()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE imputation_childjob DROP CONSTRAINT broken")

    assert not ImputationJob.objects.exists()
    assert not ParentJob.objects.exists()
    assert not ServiceCredential.objects.exists()
    assert two.world.step() == 0


def test_two_submissions_at_once_are_two_whole_studies(two: TwoServices):
    body = {
        "name": "Study",
        "targets": json.dumps(
            [
                {
                    "service": panel.service_id,
                    "reference_panel": panel.pk,
                    "user_token": "a-users-own-token",
                }
                for panel in (two.world.panel, two.second_panel)
            ]
        ),
    }

    def post() -> int:
        form = {**body, "input_file": upload()}
        return two.client().post("/api/jobs/multi_service/", form).status_code

    assert at_once(post, post) == [201, 201]
    assert ParentJob.objects.count() == 2
    assert {parent.children.count() for parent in ParentJob.objects.all()} == {2}


def test_two_retries_at_once_are_one_attempt_of_each_job(two: TwoServices):
    two.world.server.states = two.second.states = (5,)
    parent = two.submit()
    for job_id in two.children(parent):
        two.world.finish(job_id)

    def retry() -> int:
        return two.client().post(f"/api/parent-jobs/{parent.pk}/retry/").status_code

    assert sorted(at_once(retry, retry)) == [202, 400]
    assert [job["attempt"] for job in two.shown(parent)["jobs"]] == [2, 2]


def test_jobs_that_are_deleted_at_once_leave_no_parent(two: TwoServices, settings):
    parent = two.submit()
    two.client().post(f"/api/parent-jobs/{parent.pk}/cancel/")

    def delete(job_id: UUID) -> Callable[[], int]:
        return lambda: two.client().delete(f"/api/jobs/{job_id}/").status_code

    assert at_once(*map(delete, two.children(parent))) == [204, 204]
    finish_deletions()
    assert not ParentJob.objects.exists()
    assert not [path for path in Path(settings.DATA_ROOT).rglob("*") if path.is_file()]


def test_study_and_its_job_that_are_deleted_at_once_are_gone(two: TwoServices):
    parent = two.submit()
    two.client().post(f"/api/parent-jobs/{parent.pk}/cancel/")
    _, second = two.children(parent)

    answers = at_once(
        lambda: two.client().delete(f"/api/parent-jobs/{parent.pk}/").status_code,
        lambda: two.client().delete(f"/api/jobs/{second}/").status_code,
    )

    assert set(answers) <= {204, 404}
    assert 204 in answers
    finish_deletions()
    assert not ParentJob.objects.exists()
    assert not ImputationJob.objects.exists()


def test_study_is_deleted_when_the_deletion_of_a_job_began_meanwhile(two: TwoServices):
    parent = two.submit()
    two.client().post(f"/api/parent-jobs/{parent.pk}/cancel/")
    _, second = two.children(parent)
    first_tab, second_tab = two.client(), two.client()

    def delete() -> int:
        try:
            return second_tab.delete(f"/api/parent-jobs/{parent.pk}/").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert first_tab.delete(f"/api/jobs/{second}/").status_code == 204
            asked = pool.submit(delete)
            while not waiting_for_a_lock():
                assert not asked.done(), asked.result()
        assert asked.result(PATIENCE) == 204

    finish_deletions()
    assert not ParentJob.objects.exists()
    assert not ImputationJob.objects.exists()
