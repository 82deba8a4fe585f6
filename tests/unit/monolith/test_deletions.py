"""Users, services, panels and jobs that go for good, with all that hangs on them anywhere."""

import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.db.models.deletion import Collector
from django.db.models.signals import pre_delete
from django.test import Client
from django.utils import timezone

from federated_imputation.monolith.accounts.models import (
    AuditLog,
    ServiceCredential,
    UserServiceAccess,
)
from federated_imputation.monolith.accounts.operations.refusals import Conflict
from federated_imputation.monolith.accounts.operations.users import delete_user
from federated_imputation.monolith.accounts.queries import Rights
from federated_imputation.monolith.deletions import operations as deletions
from federated_imputation.monolith.deletions.models import Deletion
from federated_imputation.monolith.files.models import PanelSites
from federated_imputation.monolith.jobs.models import ChildJob, ImputationJob, JobWork
from federated_imputation.monolith.jobs.operations import JobGone, retry_job
from federated_imputation.monolith.jobs.plans.models import (
    BatchJob,
    JobBatch,
    JobTemplate,
    ScheduledJob,
)
from federated_imputation.monolith.registry.models import (
    ImputationService,
    ReferencePanel,
    ServiceSync,
)
from federated_imputation.monolith.registry.operations import (
    claim_due_syncs,
    delete_panel,
    remove_service,
)
from federated_imputation.monolith.registry.queries import UnknownPanel, UnknownService
from federated_imputation.monolith.sagas.deletion import LONGEST_WAIT, STEPS, Came, Saga, advance
from tests.deletion_scene import KINDS, LATER, Crash, Scene
from tests.factories import PASSWORD, make_job, make_panel, make_service, make_user
from tests.job_world import ORIGIN, Clock, World
from tests.michigan_server import MichiganServer
from tests.unit.monolith.accounts.people import client_of

JSON = "application/json"


@pytest.fixture(autouse=True)
def data_root(settings, tmp_path):
    settings.DATA_ROOT = str(tmp_path)
    return tmp_path


@pytest.fixture
def boss() -> User:
    return make_user("boss", role="admin")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_of_what_is_deleted_and_nothing_else_goes(kind, data_root):
    scene = Scene(data_root)
    deletion = scene.delete(kind)

    assert advance(deletion.pk, clock=scene.clock)

    assert scene.left(kind, data_root) == []
    scene.assert_others_are_whole(data_root)


def _domain_of(model: type[Model]) -> str:
    found = re.match(r"federated_imputation\.monolith\.(\w+)\.", model.__module__)
    return found[1] if found else "accounts"  # as Django's own users are


def _others_naming(row: Model) -> set[str]:
    """Tables of other domains that hold rows which a cascade from `row` would change or delete."""
    collector = Collector(using="default")
    collector.collect([row])
    touched = [*collector.data, *(found.model for found in collector.fast_deletes if found)]
    touched += [field.model for (field, _), rows in collector.field_updates.items() if any(rows)]
    return {model.__name__ for model in touched if _domain_of(model) != _domain_of(type(row))}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", KINDS)
def test_each_domain_deletes_its_own_rows_before_the_last_of_a_subject(kind, data_root):
    scene = Scene(data_root)
    subject = scene.subject(kind)
    for relation in subject._meta.related_objects:
        model = relation.related_model
        if _domain_of(model) != _domain_of(type(subject)):
            named = model._default_manager.filter(**{relation.field.name: subject})
            assert named.exists(), f"The scene has no {model.__name__}, so this would see none."
    deletion = scene.delete(kind)
    left: dict[type[Model], set[str]] = {}

    def look(sender: type[Model], instance: Model, **_: Any) -> None:
        left.setdefault(sender, set()).update(_others_naming(instance))

    pre_delete.connect(look)
    try:
        assert advance(deletion.pk, clock=scene.clock)
    finally:
        pre_delete.disconnect(look)

    assert type(subject) in left
    assert not any(left.values()), left


@pytest.mark.django_db
def test_audit_rows_of_a_deleted_user_stay_and_forget_them(
    data_root, django_capture_on_commit_callbacks
):
    scene = Scene(data_root)
    before = AuditLog.objects.filter(user=scene.ada).count()
    with django_capture_on_commit_callbacks(execute=True):
        advance(scene.delete("user").pk, clock=scene.clock)

    assert AuditLog.objects.filter(user=None, action="login").count() == before == 1
    deleted = AuditLog.objects.get(action="delete_user")
    assert deleted.user == scene.boss
    assert deleted.resource_id == str(scene.ada.pk)
    assert deleted.details["username"] == scene.ada.username


@pytest.mark.django_db
def test_user_who_goes_is_seen_by_nobody_and_let_in_by_nothing(data_root):
    scene = Scene(data_root)
    own = client_of(scene.ada)
    boss = client_of(scene.boss)
    scene.delete("user")

    assert own.get("/api/jobs/").status_code in {401, 403}
    login = {"username": scene.ada.username, "password": PASSWORD}
    assert Client().post("/api/auth/login/", login, content_type=JSON).status_code == 401
    path = f"/api/users/{scene.ada.pk}/"
    assert boss.get(path).status_code == 404
    assert boss.patch(path, {"is_active": True}, content_type=JSON).status_code == 404
    assert boss.post(f"{path}toggle_active/").status_code == 404
    assert boss.delete(path).status_code == 404
    assert scene.ada.pk not in {row["id"] for row in boss.get("/api/users/").json()["results"]}
    assert boss.get(f"/api/jobs/{scene.job.pk}/").status_code == 404
    shown = {row["id"] for row in boss.get("/api/jobs/").json()["results"]}
    assert shown == {str(scene.other_job.pk)}


@pytest.mark.django_db
def test_name_of_a_user_who_goes_is_free_at_once(data_root):
    scene = Scene(data_root)
    scene.delete("user")
    again = make_user(scene.ada.username)

    assert again.pk != scene.ada.pk


@pytest.mark.django_db
def test_service_that_goes_is_seen_by_nobody_and_its_name_is_free(data_root):
    scene = Scene(data_root)
    name = scene.service.name
    scene.delete("service")
    boss, ada = client_of(scene.boss), client_of(scene.ada)

    assert boss.get(f"/api/services/{scene.service.pk}/").status_code == 404
    assert boss.get(f"/api/reference-panels/{scene.panel.pk}/").status_code == 404
    for query in ("", "?is_active=false"):
        rows = boss.get(f"/api/services/{query}").json()["results"]
        assert scene.service.pk not in {row["id"] for row in rows}
    assert boss.get(f"/api/services/{scene.service.pk}/permissions/").status_code == 404
    assert ada.get(f"/api/jobs/{scene.job.pk}/").status_code == 404
    assert ada.get("/api/jobs/").json()["count"] == 0
    assert ada.get("/api/result-files/").json()["count"] == 0
    assert ada.get("/api/status-updates/").json()["count"] == 0
    assert ada.get("/api/user-access/").json()["count"] == 0
    assert ada.get("/api/dashboard/stats/").json()["job_stats"]["total"] == 0
    make_service(name)
    with pytest.raises(UnknownService):
        remove_service(scene.service.pk, user_id=None, origin=None, now=scene.clock())


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["service", "panel", "job"])
def test_jobs_that_go_are_in_no_study_no_batch_and_no_list(kind, data_root):
    scene = Scene(data_root)
    study = ChildJob.objects.get(job=scene.job).parent_id
    batch = BatchJob.objects.get(job=scene.job).batch_id
    ada = client_of(scene.ada)
    lists = ("jobs/", "parent-jobs/", "result-files/", "status-updates/", f"batches/{batch}/jobs/")
    assert [ada.get(f"/api/{path}").json()["count"] for path in lists] == [1, 1, 1, 1, 1]
    scene.delete(kind)

    assert [ada.get(f"/api/{path}").json()["count"] for path in lists] == [0, 0, 0, 0, 0]
    assert ada.get(f"/api/parent-jobs/{study}/").status_code == 404
    told = ada.get(f"/api/batches/{batch}/").json()["jobs_by_status"]
    assert set(told.values()) == {0}
    assert ada.post(f"/api/batches/{batch}/retry/").status_code == 400
    assert ada.get("/api/dashboard/stats/").json()["job_stats"]["total"] == 0


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["user", "service", "panel"])
def test_templates_that_go_are_seen_and_used_by_nobody(kind, data_root):
    scene = Scene(data_root)
    eve = client_of(scene.eve)
    ours, theirs = (str(JobTemplate.objects.get(user=user).pk) for user in (scene.ada, scene.eve))
    listed = {row["id"] for row in eve.get("/api/templates/").json()["results"]}
    assert listed == {ours, theirs}
    scene.delete(kind)

    (shown,) = eve.get("/api/templates/").json()["results"]
    assert shown["id"] == theirs
    assert eve.get(f"/api/templates/{ours}/").status_code == 404
    assert eve.post(f"/api/templates/{ours}/use/", {"name": "Mine"}).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_batch_and_schedule_of_another_outlive_the_template(data_root):
    scene = Scene(data_root)
    template = JobTemplate.objects.get(user=scene.ada).pk
    ScheduledJob.objects.filter(user=scene.eve).update(template_id=template)
    JobBatch.objects.filter(user=scene.eve).update(template_id=template)

    assert advance(scene.delete("user").pk, clock=scene.clock)

    assert ScheduledJob.objects.get(user=scene.eve).template is None
    assert JobBatch.objects.get(user=scene.eve).template is None


@pytest.mark.django_db
def test_nothing_is_given_to_who_goes(data_root):
    scene = Scene(data_root)
    scene.delete("user")
    root = client_of(make_user("root", is_superuser=True))
    ada, service = scene.ada.pk, scene.other_service.pk

    access = root.post("/api/user-access/", {"user": ada, "service": service}, content_type=JSON)
    right = root.post(
        f"/api/services/{service}/permissions/",
        {"user_id": ada, "permission": "view_jobs"},
        content_type=JSON,
    )
    profile = root.post("/api/profiles/", {"user": ada}, content_type=JSON)

    assert [answer.status_code for answer in (access, right, profile)] == [400, 400, 400]
    assert not UserServiceAccess.objects.filter(user=ada).exists()


@pytest.mark.django_db
def test_job_that_goes_is_not_taken_up_again(data_root):
    scene = Scene(data_root)
    ImputationJob.objects.filter(pk=scene.job.pk).update(status="failed")
    scene.delete("job")

    with pytest.raises(JobGone):
        retry_job(scene.job.pk, user_id=scene.ada.pk, origin=ORIGIN, now=scene.clock())

    assert ImputationJob.objects.get(pk=scene.job.pk).status == "failed"


@pytest.mark.django_db
def test_job_of_another_service_that_names_a_panel_of_the_one_that_goes_goes_too(data_root):
    scene = Scene(data_root)
    odd = make_job(scene.eve, scene.panel, service=scene.other_service, status="completed")

    assert advance(scene.delete("service").pk, clock=scene.clock)

    assert not ImputationJob.objects.filter(pk=odd.pk).exists()
    scene.assert_others_are_whole(data_root)


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["service", "panel"])
def test_operator_deletes_what_has_no_jobs_by_the_same_way(kind, data_root):
    service = make_service("Idle")
    panel = make_panel(service)
    PanelSites.objects.create(panel=panel)
    model = "imputationservice" if kind == "service" else "referencepanel"
    subject = service if kind == "service" else panel
    where = f"/admin/imputation/{model}/"
    root = client_of(make_user("root", is_superuser=True, is_staff=True))
    action = {"action": "delete_selected", "_selected_action": subject.pk, "post": "yes"}

    assert root.post(f"{where}{subject.pk}/delete/", {"post": "yes"}).status_code == 302
    (deletion,) = Deletion.objects.all()
    assert getattr(deletion, f"{kind}_id") == subject.pk
    assert root.get(f"{where}{subject.pk}/change/").status_code == 302, "It is not there any more."
    assert root.post(where, action).status_code == 302
    assert advance(deletion.pk)

    assert not ReferencePanel.objects.filter(pk=panel.pk).exists()
    assert not PanelSites.objects.exists()
    assert ImputationService.objects.filter(pk=service.pk).exists() is (kind == "panel")


@pytest.mark.django_db
def test_service_that_goes_is_asked_for_no_panels(data_root):
    scene = Scene(data_root)
    ServiceSync.objects.create(service=scene.service, wanted_at=scene.clock())
    scene.delete("service")

    assert scene.service.pk not in dict(claim_due_syncs(now=scene.clock()))


@pytest.mark.django_db
def test_panel_that_goes_is_seen_by_nobody_and_can_come_back_under_its_key(data_root):
    scene = Scene(data_root)
    key = scene.panel.panel_id
    scene.delete("panel")
    ada = client_of(scene.ada)

    assert ada.get(f"/api/reference-panels/{scene.panel.pk}/").status_code == 404
    assert ada.get(f"/api/jobs/{scene.job.pk}/").status_code == 404
    make_panel(scene.service, key)
    with pytest.raises(UnknownPanel):
        delete_panel(scene.panel.pk, user_id=None, origin=None, now=scene.clock())


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["service_admin", "researcher", "service_user", "viewer", None])
def test_users_are_deleted_by_those_alone_who_manage_them(role, boss):
    caller, victim = make_user("caller", role=role), make_user("victim")

    assert client_of(caller).delete(f"/api/users/{victim.pk}/").status_code == 403
    assert Client().delete(f"/api/users/{victim.pk}/").status_code in {401, 403}
    assert User.objects.get(pk=victim.pk).is_active


@pytest.mark.django_db
def test_nobody_deletes_himself_a_superuser_or_who_is_not_there(boss):
    root = make_user("root", is_superuser=True)
    as_boss = client_of(boss)

    assert as_boss.delete(f"/api/users/{boss.pk}/").status_code == 403
    assert as_boss.delete(f"/api/users/{root.pk}/").status_code == 403
    assert as_boss.delete("/api/users/99999999/").status_code == 404
    assert not Deletion.objects.exists()
    assert client_of(root).delete(f"/api/users/{boss.pk}/").status_code == 204


@pytest.mark.django_db
def test_last_administrator_is_not_deleted(boss):
    gone = Rights(user_id=make_user("gone", is_active=False).pk, is_superuser=True)

    with pytest.raises(Conflict):
        delete_user(boss.pk, by=gone, origin=ORIGIN, now=timezone.now())

    assert User.objects.get(pk=boss.pk).is_active
    assert not Deletion.objects.exists()


def crashing(name: str, *, after: bool) -> list[Any]:
    def crash(saga: Saga, act: Any) -> Came:
        if after:
            act(saga)
        raise Crash

    return [
        (step, (lambda saga, act=act: crash(saga, act)) if step == name else act)
        for step, act in STEPS
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", [name for name, _ in STEPS])
def test_deletion_goes_on_after_a_crash_at_any_step(step, after, data_root):
    scene = Scene(data_root)
    deletion = scene.delete("user")
    with pytest.raises(Crash):
        advance(deletion.pk, clock=scene.clock, steps=crashing(step, after=after))
    assert not advance(deletion.pk, clock=scene.clock), "The lease of the dead still holds."

    scene.clock.move(LATER)
    for found in deletions.claim_due(now=scene.clock()):
        assert advance(found, clock=scene.clock)

    assert scene.left("user", data_root) == []
    scene.assert_others_are_whole(data_root)


@pytest.mark.django_db(transaction=True)
def test_two_workers_do_one_deletion_once(data_root):
    scene = Scene(data_root)
    deletion = scene.delete("service")
    barrier = threading.Barrier(2)
    done: list[bool] = []
    steps: list[str] = []

    def noted(name: str, act: Any) -> Any:
        def step(saga: Saga) -> Came:
            steps.append(name)
            came: Came = act(saga)
            return came

        return step

    def work() -> None:
        try:
            barrier.wait(timeout=30)
            watched = [(name, noted(name, act)) for name, act in STEPS]
            done.append(advance(deletion.pk, clock=scene.clock, steps=watched))
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert sorted(done) == [False, True]
    assert steps == [name for name, _ in STEPS]
    assert scene.left("service", data_root) == []


@pytest.mark.django_db(transaction=True)
def test_worker_that_lost_its_lease_erases_nothing(data_root):
    scene = Scene(data_root)
    deletion = scene.delete("user")

    def taken_over(saga: Saga) -> Came:
        Deletion.objects.filter(pk=deletion.pk).update(fence=99)
        return Came.DONE

    steps = [(name, taken_over if name == "forget_rights" else act) for name, act in STEPS]

    assert not advance(deletion.pk, clock=scene.clock, steps=steps)
    assert User.objects.filter(pk=scene.ada.pk).exists()


@pytest.fixture
def world(transactional_db) -> Iterator[World]:
    with MichiganServer() as server:
        server.states = (1, 2, 2, 2, 2, 2)
        yield World(server, clock=Clock(now=timezone.now()))


@pytest.mark.parametrize("kind", ["user", "service", "panel"])
def test_external_jobs_are_cancelled_before_the_rows_go(kind, world, boss, data_root):
    job_id = world.submit()
    while not world.server.jobs:
        world.go_on(job_id)
    asked: dict[str, Any] = {"user_id": boss.pk, "origin": ORIGIN, "now": world.clock()}
    if kind == "user":
        by = Rights(user_id=boss.pk)
        delete_user(world.user.pk, by=by, origin=ORIGIN, now=world.clock())
    elif kind == "service":
        remove_service(world.service.pk, **asked)
    else:
        delete_panel(world.panel.pk, **asked)
    (deletion,) = deletions.claim_due(now=world.clock())

    assert not advance(deletion, clock=world.clock), "The job still runs at the service."
    assert ImputationJob.objects.filter(pk=job_id).exists()
    assert client_of(boss).get(f"/api/jobs/{job_id}/").status_code == 404
    for _ in range(20):
        world.step()
        world.clock.move(timedelta(seconds=30))
        if advance(deletion, clock=world.clock):
            break

    (external,) = world.server.jobs.values()
    assert external.state == 6, "Cancelled, in the words of the service."
    assert not ImputationJob.objects.exists()
    assert not ServiceCredential.objects.exists()
    assert not Deletion.objects.exists()
    assert not [path for path in data_root.rglob("*") if path.is_file()]


def test_job_that_no_service_ends_is_given_up_after_a_week_and_named(world, boss):
    job_id = world.submit()
    while not world.server.jobs:
        world.go_on(job_id)
    external_id = ImputationJob.objects.get(pk=job_id).external_job_id
    remove_service(world.service.pk, user_id=boss.pk, origin=ORIGIN, now=world.clock())
    (deletion,) = deletions.claim_due(now=world.clock())
    assert not advance(deletion, clock=world.clock)

    world.clock.move(LONGEST_WAIT - timedelta(minutes=1))
    assert not advance(deletion, clock=world.clock)
    world.clock.move(timedelta(minutes=6))

    assert advance(deletion, clock=world.clock)
    named = AuditLog.objects.get(action="give_up_job")
    assert named.details["external_job_id"] == external_id
    assert not ImputationService.objects.filter(pk=world.service.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_job_that_comes_in_late_is_ended_and_goes_too(data_root):
    scene = Scene(data_root)
    deletion = scene.delete("user")
    late: list[ImputationJob] = []

    def submitted_meanwhile(saga: Saga) -> Came:
        if not late:
            job = make_job(scene.ada, scene.panel)
            JobWork.objects.create(job=job, next_poll_at=scene.clock())
            late.append(job)
        return dict(STEPS)["forget_rights"](saga)

    steps = [(name, submitted_meanwhile if name == "forget_rights" else act) for name, act in STEPS]

    assert advance(deletion.pk, clock=scene.clock, steps=steps)
    assert scene.left("user", data_root) == []
    assert not ImputationJob.objects.filter(pk=late[0].pk).exists()
