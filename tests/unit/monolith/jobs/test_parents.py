"""One study for several services, as clients see it."""

import json
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from federated_imputation.monolith.accounts.models import (
    AuditLog,
    ServiceCredential,
    ServicePermission,
    UserServiceAccess,
)
from federated_imputation.monolith.accounts.queries import reveal_credential
from federated_imputation.monolith.jobs.models import (
    ChildJob,
    ImputationJob,
    JobStatusUpdate,
    JobWork,
    ParentJob,
)
from tests.deletion_scene import finish_deletions
from tests.factories import NOW, make_job, make_panel, make_service, make_user
from tests.genotype_files import study
from tests.job_world import PANEL, upload

pytestmark = pytest.mark.django_db
SUBMIT = "/api/jobs/multi_service/"
TOKENS = ("a-users-own-token-here", "a-users-own-token-there")


def client_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def ada():
    return make_user("ada", role="researcher")


@pytest.fixture
def client(ada) -> Client:
    return client_of(ada)


@pytest.fixture
def panels():
    """A panel at each of two services."""
    return [
        make_panel(make_service(name), PANEL, populations=["afr", "off"])
        for name in ("AFR node", "EUR node")
    ]


@pytest.fixture
def targets(panels):
    return [
        {"service": panel.service_id, "reference_panel": panel.pk, "user_token": token}
        for panel, token in zip(panels, TOKENS, strict=True)
    ]


def form(targets, **fields):
    shared = {"name": "Study", "build": "hg19", "population": "afr", "input_file": upload()}
    return {**shared, "targets": json.dumps(targets), **fields}


def family(user, panels, *statuses: str, name: str = "Study", created_at=NOW) -> ParentJob:
    """A parent whose children have these statuses, one at each of `panels` in turn."""
    parent = ParentJob.objects.create(
        user=user, name=name, created_at=created_at, updated_at=created_at
    )
    for position, status in enumerate(statuses):
        job = make_job(user, panels[position % len(panels)], name=name, status=status)
        is_over = status in {"completed", "failed", "cancelled"}
        JobWork.objects.create(
            job=job,
            phase="done" if is_over else "submit" if status == "pending" else "follow",
            next_poll_at=None if is_over else NOW,
        )
        ChildJob.objects.create(job=job, parent=parent, position=position)
    return parent


def nothing_is_stored(root: str) -> bool:
    files = [path for path in Path(root).rglob("*") if path.is_file()]
    return not (files or ImputationJob.objects.exists() or ParentJob.objects.exists())


def test_study_becomes_a_parent_with_a_job_for_each_target(client, targets, panels):
    targets[1] |= {"population": "off", "phasing": True}

    answer = client.post(SUBMIT, form(targets, description="60 samples"))

    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert (made["name"], made["description"], made["status"]) == (
        "Study",
        "60 samples",
        "pending",
    )
    assert made["job_counts"]["pending"] == 2
    assert [job["service_name"] for job in made["jobs"]] == ["AFR node", "EUR node"]
    assert [job["population"] for job in made["jobs"]] == ["afr", "off"]
    assert [job["phasing"] for job in made["jobs"]] == [False, True]
    for shown, panel in zip(made["jobs"], panels, strict=True):
        job = ImputationJob.objects.get(pk=shown["id"])
        assert (job.service_id, job.reference_panel_id) == (panel.service_id, panel.pk)
        assert (job.build, job.description, job.work.phase) == ("hg19", "60 samples", "submit")
        assert client.get(f"/api/jobs/{job.pk}/").json()["parent"] == made["id"]
    assert client.get(f"/api/parent-jobs/{made['id']}/").json() == made
    assert sorted(AuditLog.objects.values_list("action", flat=True)) == [
        "create_job",
        "create_job",
        "create_parent_job",
    ]


def test_job_of_its_own_has_no_parent(client, ada, panels):
    job = make_job(ada, panels[0])

    assert client.get(f"/api/jobs/{job.pk}/").json()["parent"] is None


def test_bytes_are_stored_once_and_go_with_the_last_job(
    client, targets, settings, django_capture_on_commit_callbacks
):
    jobs = client.post(SUBMIT, form(targets)).json()["jobs"]
    stored = [
        Path(settings.DATA_ROOT) / str(ImputationJob.objects.get(pk=job["id"]).input_file)
        for job in jobs
    ]

    assert len({path.stat().st_ino for path in stored}) == 1
    for job in jobs:
        client.post(f"/api/jobs/{job['id']}/cancel/")
    with django_capture_on_commit_callbacks(execute=True):
        assert client.delete(f"/api/jobs/{jobs[0]['id']}/").status_code == 204
        finish_deletions()
    assert [path.exists() for path in stored] == [False, True]
    assert stored[1].read_bytes() == upload().read()
    assert client.get(f"/api/jobs/{jobs[1]['id']}/").json()["input_file"] == "study.vcf.gz"
    with django_capture_on_commit_callbacks(execute=True):
        assert client.delete(f"/api/jobs/{jobs[1]['id']}/").status_code == 204
        finish_deletions()
    assert nothing_is_stored(settings.DATA_ROOT)


def test_each_service_gets_its_own_token(client, ada, targets):
    answer = client.post(SUBMIT, form(targets))

    for job, token in zip(answer.json()["jobs"], TOKENS, strict=True):
        assert token not in answer.content.decode()
        stored = ServiceCredential.objects.get(job_id=job["id"])
        assert token not in stored.encrypted
        told = reveal_credential(
            service_id=job["service"], user_id=ada.pk, job_id=stored.job_id, now=NOW
        )
        assert told == token


def test_stored_file_is_sent_in_json(client, targets):
    file_id = client.post("/api/files/", {"file": study()}).json()["id"]
    body = {"name": "Study", "targets": targets, "genotype_file": str(file_id)}

    answer = client.post(SUBMIT, body, "application/json")

    assert answer.status_code == 201, answer.content
    assert len(answer.json()["jobs"]) == 2


def test_two_panels_of_one_service_are_two_targets(client, targets, panels):
    other = make_panel(panels[0].service, "apps@other@1.0.0")
    targets[1] = {**targets[0], "reference_panel": other.pk}

    assert client.post(SUBMIT, form(targets, population="")).status_code == 201


@pytest.mark.parametrize(
    ("change", "errors"),
    [
        ({"service": 999}, {"service": "does not exist"}),
        ({"reference_panel": 999}, {"reference_panel": "does not exist"}),
        ({"population": "eas"}, {"population": "afr, off"}),
        ({"user_token": ""}, {"user_token": "none is stored"}),
        ({"service": "5"}, {"service": "valid integer"}),
        ({"population": "x" * 101}, {"population": "100"}),
    ],
)
def test_what_is_wrong_is_told_of_each_target(client, targets, settings, change, errors):
    targets[1] |= change

    answer = client.post(SUBMIT, form(targets))

    assert answer.status_code == 400
    first, second = answer.json()["targets"]
    assert first == {}
    assert second.keys() == errors.keys()
    for field, words in errors.items():
        assert words in second[field][0]
        assert words in answer.json()["details"][f"targets.1.{field}"][0]
    assert nothing_is_stored(settings.DATA_ROOT)


def test_panel_of_the_other_service_is_refused(client, targets, panels, settings):
    targets[1]["reference_panel"] = panels[0].pk

    answer = client.post(SUBMIT, form(targets))

    expected = [{}, {"reference_panel": ["This panel does not belong to the service."]}]
    assert answer.json()["targets"] == expected
    assert nothing_is_stored(settings.DATA_ROOT)


def test_same_panel_twice_is_refused(client, targets, settings):
    answer = client.post(SUBMIT, form([*targets, {**targets[0], "population": "off"}]))

    assert answer.status_code == 400
    assert answer.json()["targets"] == [
        {},
        {},
        {"reference_panel": ["An earlier target names this service and this panel."]},
    ]
    assert nothing_is_stored(settings.DATA_ROOT)


@pytest.mark.parametrize("number", [0, 1, 11])
def test_too_few_and_too_many_targets_are_refused(client, targets, settings, number):
    answer = client.post(SUBMIT, form([targets[0]] * number))

    assert answer.status_code == 400
    assert answer.json()["targets"] == ["Name 2 to 10 targets."]
    assert nothing_is_stored(settings.DATA_ROOT)


@pytest.mark.parametrize(
    "text", ["", "nonsense", "{}", "5", "null", '"x"', "[" * 100_000, '[{"a": 1, "a": 2}, {}]']
)
def test_targets_that_are_no_list_are_refused(client, targets, settings, text):
    answer = client.post(SUBMIT, {**form([]), "targets": text})

    assert answer.status_code == 400
    assert answer.json()["targets"]
    assert nothing_is_stored(settings.DATA_ROOT)


def test_text_is_no_list_in_json(client, targets):
    body = {"name": "Study", "targets": json.dumps(targets), "genotype_file": str(uuid4())}

    answer = client.post(SUBMIT, body, "application/json")

    assert answer.status_code == 400
    assert "list of targets" in answer.json()["targets"][0]


def test_mistakes_of_the_study_and_of_its_targets_are_told_together(client, targets):
    targets[0]["population"] = "eas"

    answer = client.post(SUBMIT, form(targets, build="hg18"))

    assert answer.json()["details"].keys() == {"build", "targets.0.population"}


def test_smallest_limit_counts_and_its_service_is_named(client, targets, panels, settings):
    panels[1].service.max_file_size_mb = 0
    panels[1].service.save()

    answer = client.post(SUBMIT, form(targets))

    assert answer.status_code == 400
    assert "0 MB that EUR node" in answer.json()["input_file"][0]
    assert nothing_is_stored(settings.DATA_ROOT)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "", "blank"),
        ("input_file", ("study.vcf", b"##fileformat=VCFv4.2\n"), ".vcf.gz files"),
        ("input_file", None, "required"),
        ("genotype_file", str(uuid4()), "not both"),
    ],
)
def test_mistakes_of_the_study_are_told_by_field(client, targets, settings, field, value, words):
    given = form(targets)
    given[field] = upload(*value) if isinstance(value, tuple) else value
    if value is None:
        del given[field]

    answer = client.post(SUBMIT, given)

    assert answer.status_code == 400
    assert words in answer.json()[field][0]
    assert nothing_is_stored(settings.DATA_ROOT)


def test_file_of_somebody_else_is_not_there(client, targets):
    file_id = client_of(make_user("bob")).post("/api/files/", {"file": study()}).json()["id"]
    given = form(targets, genotype_file=str(file_id))
    del given["input_file"]

    answer = client.post(SUBMIT, given)

    assert "does not exist" in answer.json()["genotype_file"][0]


def test_right_at_one_of_the_services_is_not_enough(targets, panels, settings):
    carol = make_user("carol", role="viewer")
    right = ServicePermission.Kind.SUBMIT_JOBS
    ServicePermission.objects.create(user=carol, service=panels[0].service, permission=right)

    refused = client_of(carol).post(SUBMIT, form(targets))

    assert refused.status_code == 403
    assert "nothing was submitted" in refused.json()["detail"]
    first, second = refused.json()["targets"]
    assert first == {}
    assert "may not submit jobs" in second["service"][0]
    assert nothing_is_stored(settings.DATA_ROOT)
    ServicePermission.objects.create(user=carol, service=panels[1].service, permission=right)
    assert client_of(carol).post(SUBMIT, form(targets)).status_code == 201


def test_access_that_is_switched_off_at_one_service_refuses_all(
    client, ada, targets, panels, settings
):
    UserServiceAccess.objects.create(user=ada, service=panels[1].service, has_access=False)

    answer = client.post(SUBMIT, form(targets))

    assert answer.status_code == 403
    assert "switched off" in answer.json()["targets"][1]["service"][0]
    assert nothing_is_stored(settings.DATA_ROOT)


def test_quota_that_does_not_leave_room_for_all_refuses_all(client, ada, targets, settings):
    ada.profile.monthly_job_limit = 1
    ada.profile.save()

    answer = client.post(SUBMIT, form(targets))

    assert answer.status_code == 403
    assert "asks for 2 more" in answer.json()["detail"]
    assert nothing_is_stored(settings.DATA_ROOT)


def test_list_is_the_callers_own_newest_first(client, ada, panels):
    old = family(ada, panels, "failed", "completed", created_at=NOW - timedelta(days=1))
    new = family(ada, panels, "running", "pending", name="Newer")
    family(make_user("bob"), panels, "pending", "pending")

    page = client.get("/api/parent-jobs/").json()

    assert [each["id"] for each in page["results"]] == [str(new.pk), str(old.pk)]
    assert (page["count"], page["next"], page["previous"]) == (2, None, None)
    assert [each["status"] for each in page["results"]] == ["running", "failed"]
    assert set(page["results"][0]) == {
        "id", "name", "description", "user", "status", "progress_percentage", "job_counts",
        "created_at", "updated_at", "completed_at",
    }  # fmt: skip
    assert page["results"][1]["job_counts"] == {
        "pending": 0, "queued": 0, "running": 0, "completed": 1, "failed": 1, "cancelled": 0,
    }  # fmt: skip


def test_list_is_filtered_by_the_status_that_is_shown(client, ada, panels):
    words = ("pending", "queued", "running", "completed", "failed", "cancelled")
    for first in words:
        for second in words:
            family(ada, panels, first, second)
    shown = [
        each
        for page in (1, 2)
        for each in client.get(f"/api/parent-jobs/?page={page}").json()["results"]
    ]
    assert len(shown) == 36

    for word in words:
        found = client.get(f"/api/parent-jobs/?status={word}").json()
        expected = {each["id"] for each in shown if each["status"] == word}
        assert found["count"] == len(expected) > 0
        assert {each["id"] for each in found["results"]} <= expected
    assert client.get("/api/parent-jobs/?status=nonsense").status_code == 400


def test_list_is_searched(client, ada, panels):
    family(ada, panels, "pending", "pending", name="Bamako")
    family(ada, panels, "pending", "pending", name="Cape Town")

    found = client.get("/api/parent-jobs/?search=cape").json()["results"]

    assert [each["name"] for each in found] == ["Cape Town"]


def test_list_takes_the_same_number_of_queries_for_any_number(client, ada, panels):
    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get("/api/parent-jobs/").status_code == 200
        return len(captured)

    family(ada, panels, "pending", "running")
    count()
    one = count()
    for _ in range(10):
        family(ada, panels, "pending", "running", "failed")

    assert count() == one <= 6


def test_end_of_the_last_job_is_the_end_of_the_study(client, ada, panels):
    parent = family(ada, panels, "completed", "running")
    first, second = (child.job for child in parent.children.order_by("position"))
    first.completed_at = NOW
    first.save()
    assert client.get(f"/api/parent-jobs/{parent.pk}/").json()["completed_at"] is None

    second.status, second.completed_at = "completed", NOW + timedelta(hours=1)
    second.save()

    shown = client.get(f"/api/parent-jobs/{parent.pk}/").json()
    assert (shown["status"], shown["completed_at"]) == ("completed", "2026-03-01T13:00:00Z")


def test_owner_renames_the_study_and_not_its_jobs(client, ada, panels):
    parent = family(ada, panels, "running", "pending")

    answer = client.patch(
        f"/api/parent-jobs/{parent.pk}/",
        {"name": "New", "description": "Words", "status": "completed"},
        "application/json",
    )

    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["name"], shown["description"], shown["status"]) == ("New", "Words", "running")
    assert {child.job.name for child in parent.children.all()} == {"Study"}
    assert AuditLog.objects.get().action == "update_parent_job"


def test_cancel_asks_for_the_end_of_every_job_that_is_not_over(client, ada, panels):
    parent = family(ada, panels, "pending", "running", "completed")
    waiting, running, _ = (child.job_id for child in parent.children.order_by("position"))

    answer = client.post(f"/api/parent-jobs/{parent.pk}/cancel/")

    assert answer.status_code == 202
    assert set(answer.json()["jobs"]) == {str(waiting), str(running)}
    shown = client.get(f"/api/parent-jobs/{parent.pk}/").json()
    assert [job["status"] for job in shown["jobs"]] == ["cancelled", "running", "completed"]
    assert [job["cancel_requested"] for job in shown["jobs"]] == [True, True, False]
    assert shown["status"] == "running"


def test_cancel_of_a_study_that_is_over_is_refused(client, ada, panels):
    parent = family(ada, panels, "failed", "completed")

    answer = client.post(f"/api/parent-jobs/{parent.pk}/cancel/")

    assert answer.status_code == 400
    assert "are over" in answer.json()["error"]


def test_retry_takes_up_what_failed_or_was_cancelled(client, ada, panels):
    parent = family(ada, panels, "failed", "completed", "cancelled", "running")

    answer = client.post(f"/api/parent-jobs/{parent.pk}/retry/")

    assert answer.status_code == 202
    assert len(answer.json()["jobs"]) == 2
    shown = client.get(f"/api/parent-jobs/{parent.pk}/").json()["jobs"]
    assert [job["status"] for job in shown] == ["pending", "completed", "pending", "running"]
    assert [job["attempt"] for job in shown] == [2, 1, 2, 1]


def test_retry_with_nothing_to_retry_is_refused(client, ada, panels):
    parent = family(ada, panels, "running", "completed")

    answer = client.post(f"/api/parent-jobs/{parent.pk}/retry/")

    assert answer.status_code == 400
    assert "none can be retried" in answer.json()["error"]


def test_retry_of_an_owner_who_may_not_submit_any_more_changes_nothing(client, ada, panels):
    parent = family(ada, panels, "failed", "failed")
    UserServiceAccess.objects.create(user=ada, service=panels[1].service, has_access=False)

    assert client.post(f"/api/parent-jobs/{parent.pk}/retry/").status_code == 403
    shown = client.get(f"/api/parent-jobs/{parent.pk}/").json()
    assert [job["status"] for job in shown["jobs"]] == ["failed", "failed"]


def test_one_job_of_a_study_is_retried_alone(client, ada, panels):
    parent = family(ada, panels, "failed", "failed")
    first = parent.children.get(position=0).job_id

    assert client.post(f"/api/jobs/{first}/retry/").status_code == 202

    shown = client.get(f"/api/parent-jobs/{parent.pk}/").json()
    assert [job["status"] for job in shown["jobs"]] == ["pending", "failed"]
    assert shown["status"] == "running"


def test_delete_removes_a_study_that_is_over_with_everything_it_had(
    client, targets, settings, django_capture_on_commit_callbacks
):
    parent_id = client.post(SUBMIT, form(targets)).json()["id"]
    client.post(f"/api/parent-jobs/{parent_id}/cancel/")

    with django_capture_on_commit_callbacks(execute=True):
        answer = client.delete(f"/api/parent-jobs/{parent_id}/")
        assert client.get(f"/api/parent-jobs/{parent_id}/").status_code == 404
        finish_deletions()

    assert answer.status_code == 204
    assert not ServiceCredential.objects.exists()
    assert nothing_is_stored(settings.DATA_ROOT)


def test_delete_of_a_study_that_is_not_over_deletes_none_of_its_jobs(client, ada, panels):
    parent = family(ada, panels, "completed", "running")

    answer = client.delete(f"/api/parent-jobs/{parent.pk}/")

    assert answer.status_code == 400
    assert "is running" in answer.json()["error"]
    assert ImputationJob.objects.count() == 2


def test_legacy_process_that_deletes_the_jobs_leaves_no_parent(ada, panels):
    family(ada, panels, "completed", "failed")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM imputation_jobwork")
        cursor.execute("DELETE FROM imputation_imputationjob")

    assert not ParentJob.objects.exists()


def test_account_that_is_deleted_takes_its_studies_along(ada, panels):
    family(ada, panels, "completed", "failed")

    ada.delete()

    assert not ParentJob.objects.exists()
    assert not ChildJob.objects.exists()


def test_history_is_that_of_all_jobs_page_by_page(client, ada, panels):
    parent = family(ada, panels, "running", "running")
    jobs = [child.job for child in parent.children.order_by("position")]
    for number in range(30):
        JobStatusUpdate.objects.create(
            job=jobs[number % 2],
            status="running",
            message=str(number),
            timestamp=NOW + timedelta(seconds=number),
        )
    JobStatusUpdate.objects.create(job=make_job(ada, panels[0]), status="running", message="other")

    first, second = (
        client.get(f"/api/parent-jobs/{parent.pk}/status_updates/?page={page}").json()
        for page in (1, 2)
    )

    told = [*first["results"], *second["results"]]
    assert first["count"] == 30
    assert [update["message"] for update in told] == [str(number) for number in range(30)]
    assert [update["job"] for update in told[:2]] == [str(job.pk) for job in jobs]


def test_administrator_sees_every_study_and_changes_only_their_own(ada, panels):
    parent = family(ada, panels, "failed", "running")
    boss = client_of(make_user("boss", role="admin"))
    where = f"/api/parent-jobs/{parent.pk}/"

    assert boss.get("/api/parent-jobs/").json()["count"] == 1
    assert boss.get(where).status_code == 200
    assert boss.get(f"{where}status_updates/").status_code == 200
    looks = AuditLog.objects.filter(action="data_access", resource_type="parent_job")
    assert looks.count() == 3
    assert boss.patch(where, {"name": "x"}, "application/json").status_code == 403
    assert boss.delete(where).status_code == 403
    assert boss.post(f"{where}cancel/").status_code == 403
    assert boss.post(f"{where}retry/").status_code == 403


def test_right_at_one_service_shows_nothing_of_where_else_a_study_went(ada, panels):
    parent = family(ada, panels, "failed", "running")
    carol = make_user("carol", role="viewer")
    ServicePermission.objects.create(user=carol, service=panels[0].service, permission="view_jobs")
    client = client_of(carol)

    assert client.get("/api/jobs/").json()["count"] == 1
    assert client.get("/api/parent-jobs/").json()["count"] == 0
    assert client.get(f"/api/parent-jobs/{parent.pk}/").status_code == 404


ROUTES = [
    ("get", ""),
    ("patch", ""),
    ("delete", ""),
    ("post", "cancel/"),
    ("post", "retry/"),
    ("get", "status_updates/"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_study_of_somebody_else_does_not_exist(client, panels, method, path):
    parent = family(make_user("bob"), panels, "failed", "completed")

    assert getattr(client, method)(f"/api/parent-jobs/{parent.pk}/{path}").status_code == 404
    assert parent.children.filter(job__status="failed").exists()


@pytest.mark.parametrize("parent_id", [str(uuid4()), "1", "not-an-id", "x" * 300])
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_id_that_is_none_is_404(client, parent_id, method, path):
    assert getattr(client, method)(f"/api/parent-jobs/{parent_id}/{path}").status_code == 404
