"""The job endpoints as their clients see them."""

from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from federated_imputation.monolith.accounts.models import AuditLog, ServiceCredential
from federated_imputation.monolith.accounts.queries import reveal_credential
from federated_imputation.monolith.deletions.models import Deletion
from federated_imputation.monolith.files.models import StoredFile
from federated_imputation.monolith.jobs.models import ImputationJob, JobStatusUpdate, JobWork
from federated_imputation.monolith.sagas import deletion
from tests.factories import NOW, make_job, make_panel, make_service, make_user
from tests.job_world import PANEL, upload

pytestmark = pytest.mark.django_db
TOKEN = "a-users-own-token"


def client_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def ada():
    return make_user("ada")


@pytest.fixture
def client(ada) -> Client:
    return client_of(ada)


@pytest.fixture
def panel():
    return make_panel(make_service(), PANEL, populations=["afr", "off"])


@pytest.fixture
def form(panel):
    """A form that is accepted; tests change one thing of it."""
    return {
        "name": "Study",
        "description": "60 samples",
        "service": panel.service_id,
        "reference_panel": panel.pk,
        "input_format": "vcf",
        "build": "hg19",
        "phasing": "true",
        "population": "afr",
        "input_file": upload(),
        "user_token": TOKEN,
    }


def worked(user, panel, *, phase="follow", **fields) -> ImputationJob:
    job = make_job(user, panel, **fields)
    JobWork.objects.create(
        job=job, phase=phase, next_poll_at=None if phase == "done" else NOW, attempt=1
    )
    return job


def test_job_is_created_with_its_file_its_event_and_its_work(client, form, panel, settings):
    answer = client.post("/api/jobs/", form)

    assert answer.status_code == 201
    created = answer.json()
    assert {name: created[name] for name in ("name", "description", "build", "population")} == {
        "name": "Study",
        "description": "60 samples",
        "build": "hg19",
        "population": "afr",
    }
    assert created["service"] == panel.service_id
    assert created["reference_panel"] == panel.pk
    assert created["phasing"] is True
    assert created["status"] == "pending"
    assert created["created_at"]
    job = ImputationJob.objects.get(pk=created["id"])
    assert (Path(settings.DATA_ROOT) / str(job.input_file)).read_bytes() == form[
        "input_file"
    ].file.getvalue()
    assert job.input_file_size == form["input_file"].size
    stored = StoredFile.objects.get(job_id=job.pk)
    assert stored.sha256 == sha256(form["input_file"].file.getvalue()).hexdigest()
    assert (stored.user_id, stored.path) == (job.user_id, str(job.input_file))
    assert job.work.phase == "submit"
    assert [update.status for update in job.status_updates.all()] == ["pending"]
    assert AuditLog.objects.get().action == "create_job"


def test_token_is_kept_encrypted_and_never_answered(client, form):
    answer = client.post("/api/jobs/", form)

    job = ImputationJob.objects.get(pk=answer.json()["id"])
    assert TOKEN not in answer.content.decode()
    assert TOKEN not in client.get(f"/api/jobs/{job.pk}/").content.decode()
    assert job.user_token == ""
    assert TOKEN not in ServiceCredential.objects.get(job_id=job.pk).encrypted
    assert (
        reveal_credential(service_id=job.service_id, user_id=job.user_id, job_id=job.pk, now=NOW)
        == TOKEN
    )


def test_form_without_phasing_means_no_phasing(client, form):
    del form["phasing"]

    assert client.post("/api/jobs/", form).json()["phasing"] is False


@pytest.mark.parametrize(
    ("given", "kept"), [("hg38", "hg38"), ("GRCh37", "hg19"), ("b38", "hg38"), ("HG19", "hg19")]
)
def test_build_is_kept_under_one_name(client, form, given, kept):
    assert client.post("/api/jobs/", {**form, "build": given}).json()["build"] == kept


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "", "blank"),
        ("name", "x" * 201, "200"),
        ("service", "999", "does not exist"),
        ("reference_panel", "999", "does not exist"),
        ("build", "hg18", "hg19 or hg38"),
        ("population", "eas", "afr, off"),
        ("input_file", ("study.txt", b"x"), "Unsupported file format"),
        ("input_file", ("study.vcf.gz", b"##fileformat=VCFv4.2\n"), "compressed"),
        ("input_file", ("study.vcf", b"##fileformat=VCFv4.2\n"), ".vcf.gz files"),
        ("input_file", ("study.vcf.gz", b""), "empty"),
    ],
)
def test_creation_is_refused_by_field(client, form, settings, field, value, message):
    sent = SimpleUploadedFile(*value) if field == "input_file" else value
    answer = client.post("/api/jobs/", {**form, field: sent})

    assert answer.status_code == 400
    assert message in answer.json()[field][0]
    assert not ImputationJob.objects.exists()
    assert not list(Path(settings.DATA_ROOT).rglob("*.gz"))


def test_creation_without_a_file_is_refused(client, form):
    del form["input_file"]

    answer = client.post("/api/jobs/", form)

    assert answer.status_code == 400
    assert answer.json()["input_file"] == ["This field is required."]


def test_file_larger_than_the_service_takes_is_refused(client, form, panel):
    panel.service.max_file_size_mb = 0
    panel.service.save()

    answer = client.post("/api/jobs/", form)

    assert "0 MB" in answer.json()["input_file"][0]


def test_panel_of_another_service_is_refused(client, form):
    other = make_panel(make_service("EUR node"))

    answer = client.post("/api/jobs/", {**form, "reference_panel": other.pk})

    assert answer.json()["reference_panel"] == ["This panel does not belong to the service."]


def test_what_is_not_active_is_refused(client, form, panel):
    panel.is_active = panel.service.is_active = False
    panel.save()
    panel.service.save()

    answer = client.post("/api/jobs/", form)

    assert answer.status_code == 400
    assert set(answer.json()["details"]) == {"service", "reference_panel"}


def test_service_of_an_unsupported_api_is_refused(client, form, panel):
    panel.service.api_type = "ga4gh"
    panel.service.save()

    assert "not supported" in client.post("/api/jobs/", form).json()["service"][0]


def test_service_that_needs_a_token_refuses_a_job_without_one(client, form):
    form["user_token"] = ""

    assert "user_token" in client.post("/api/jobs/", form).json()


def test_all_mistakes_are_told_at_once(client, form):
    answer = client.post("/api/jobs/", {**form, "build": "hg18", "population": "eas"})

    assert set(answer.json()["details"]) == {"build", "population"}


def test_upload_keeps_a_safe_name_of_at_most_a_hundred_characters(client, form):
    name = "../../étude " + "x" * 200 + ".VCF.GZ"
    answer = client.post("/api/jobs/", {**form, "input_file": upload(name)})

    path = str(ImputationJob.objects.get(pk=answer.json()["id"]).input_file)
    assert len(path) <= 100
    assert path.startswith("uploads/input/")
    assert path.count("/") == 2
    assert path.isascii()


def test_list_is_the_callers_own_newest_first(client, ada, panel):
    old = make_job(ada, panel, name="old", created_at=NOW - timedelta(days=1))
    new = make_job(ada, panel, name="new")
    make_job(make_user("bob"), panel, name="bob's")

    page = client.get("/api/jobs/").json()

    assert page["count"] == 2
    assert [job["id"] for job in page["results"]] == [str(new.pk), str(old.pk)]
    assert page["next"] is None
    assert page["previous"] is None
    assert set(page["results"][0]) == {
        "id", "name", "description", "user", "service", "reference_panel", "input_format", "build",
        "phasing", "population", "status", "progress_percentage", "external_job_id", "created_at",
        "updated_at", "started_at", "completed_at", "duration_display",
    }  # fmt: skip
    assert page["results"][0]["user"]["username"] == "ada"
    assert page["results"][0]["service"]["name"] == panel.service.name
    assert page["results"][0]["reference_panel"]["panel_id"] == PANEL


@pytest.mark.parametrize("role", ["admin", "service_admin"])
def test_administrators_see_all_jobs_and_change_only_their_own(ada, panel, role):
    job = worked(ada, panel)
    boss = client_of(make_user("boss", role=role))

    assert boss.get("/api/jobs/").json()["count"] == 1
    assert boss.get(f"/api/jobs/{job.pk}/").status_code == 200
    assert boss.get("/api/status-updates/").json()["count"] == 0
    for path in ("cancel/", "retry/", "reveal_password/"):
        assert boss.post(f"/api/jobs/{job.pk}/{path}").status_code == 403
    assert boss.patch(f"/api/jobs/{job.pk}/", {"name": "x"}, "application/json").status_code == 403
    assert boss.delete(f"/api/jobs/{job.pk}/").status_code == 403


def test_list_is_filtered(client, ada, panel):
    other = make_panel(make_service("EUR node"))
    make_job(ada, panel, name="Bamako", status="failed")
    make_job(ada, other, name="Cape Town", status="completed")

    def names(query: str) -> list[str]:
        return [job["name"] for job in client.get(f"/api/jobs/?{query}").json()["results"]]

    assert names("status=failed") == ["Bamako"]
    assert names(f"service={other.service_id}") == ["Cape Town"]
    assert names("search=cape") == ["Cape Town"]
    assert names("status=&search=") == names("")
    assert client.get("/api/jobs/?status=nonsense").status_code == 400


def test_list_takes_the_same_number_of_queries_for_any_number_of_jobs(client, ada, panel):
    def count() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get("/api/jobs/").status_code == 200
        return len(captured)

    make_job(ada, panel)
    count()
    one = count()
    for _ in range(10):
        make_job(ada, panel)

    assert count() == one


def test_detail_adds_the_history_and_the_files(client, ada, panel):
    job = worked(
        ada,
        panel,
        status="completed",
        phase="done",
        input_file="uploads/input/" + "0" * 32 + "-study.vcf.gz",
        input_file_size=1536,
        started_at=NOW,
        completed_at=NOW + timedelta(hours=1, seconds=5),
    )
    JobStatusUpdate.objects.create(job=job, status="completed", message="second", timestamp=NOW)
    JobStatusUpdate.objects.create(
        job=job, status="running", message="first", timestamp=NOW - timedelta(1)
    )
    file = job.files.create(filename="chr_20.zip", file_type="imputed_data", file_path="x")

    detail = client.get(f"/api/jobs/{job.pk}/").json()

    assert detail["input_file"] == "study.vcf.gz"
    assert detail["input_file_size_display"] == "1.5 KB"
    assert detail["duration_display"] == "1h 0m 5s"
    assert [update["message"] for update in detail["status_updates"]] == ["first", "second"]
    assert [entry["id"] for entry in detail["files"]] == [file.pk]
    assert {"result_files", "execution_time_seconds", "error_message", "service_response"} <= set(
        detail
    )
    assert client.get(f"/api/jobs/{job.pk}/status_updates/").json() == detail["status_updates"]
    assert client.get(f"/api/jobs/{job.pk}/files/").json() == detail["files"]


@pytest.mark.parametrize("method", ["put", "patch"])
def test_owner_changes_name_and_description_and_nothing_else(client, ada, panel, method):
    job = worked(ada, panel, status="running")

    answer = getattr(client, method)(
        f"/api/jobs/{job.pk}/",
        {
            "name": "New",
            "description": "Words",
            "status": "completed",
            "service": 999,
            "result_files": [1],
            "user_token": "x",
        },
        "application/json",
    )

    assert answer.status_code == 200
    changed = ImputationJob.objects.get(pk=job.pk)
    assert (changed.name, changed.description) == ("New", "Words")
    assert (changed.status, changed.service_id) == ("running", job.service_id)
    assert changed.result_files == []
    assert changed.user_token == ""


def test_cancel_before_anything_is_sent_is_done_at_once(client, ada, panel):
    job = worked(ada, panel, phase="submit")

    answer = client.post(f"/api/jobs/{job.pk}/cancel/")

    assert answer.status_code == 202
    assert set(answer.json()) == {"message", "task_id"}
    job = ImputationJob.objects.get(pk=job.pk)
    assert job.status == "cancelled"
    assert job.completed_at is not None
    assert job.work.phase == "done"


def test_cancel_of_a_job_at_the_service_is_only_asked_for(client, ada, panel):
    job = worked(ada, panel, status="running")

    for _ in range(2):
        assert client.post(f"/api/jobs/{job.pk}/cancel/").status_code == 202

    detail = client.get(f"/api/jobs/{job.pk}/").json()
    assert detail["status"] == "running"
    assert detail["cancel_requested"] is True
    assert [update["message"] for update in detail["status_updates"]] == ["Cancellation requested."]


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_cancel_of_a_job_that_is_over_is_refused(client, ada, panel, status):
    job = worked(ada, panel, status=status, phase="done")

    answer = client.post(f"/api/jobs/{job.pk}/cancel/")

    assert answer.status_code == 400
    assert status in answer.json()["error"]


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_retry_takes_the_job_up_again(client, ada, panel, status):
    job = worked(ada, panel, status=status, phase="done", error_message="x", progress_percentage=7)

    answer = client.post(f"/api/jobs/{job.pk}/retry/")

    assert answer.status_code == 202
    assert set(answer.json()) == {"message", "task_id"}
    detail = client.get(f"/api/jobs/{job.pk}/").json()
    assert (detail["status"], detail["progress_percentage"]) == ("pending", 0)
    assert detail["attempt"] == 2
    assert detail["error_message"] == ""


@pytest.mark.parametrize("status", ["pending", "queued", "running", "completed"])
def test_retry_of_other_jobs_is_refused(client, ada, panel, status):
    job = worked(ada, panel, status=status, phase="done" if status == "completed" else "follow")

    assert client.post(f"/api/jobs/{job.pk}/retry/").status_code == 400


def test_legacy_job_without_work_can_be_cancelled_and_retried(client, ada, panel):
    job = make_job(ada, panel, status="queued")

    assert client.post(f"/api/jobs/{job.pk}/cancel/").status_code == 202
    assert ImputationJob.objects.get(pk=job.pk).status == "cancelled"
    assert client.post(f"/api/jobs/{job.pk}/retry/").status_code == 202
    assert JobWork.objects.get(job=job).attempt == 2


def test_delete_removes_a_job_that_is_over_with_everything_it_had(
    client, form, settings, django_capture_on_commit_callbacks
):
    job = ImputationJob.objects.get(pk=client.post("/api/jobs/", form).json()["id"])
    client.post(f"/api/jobs/{job.pk}/cancel/")
    result = Path(settings.DATA_ROOT) / "results" / str(job.pk) / "1" / "a.txt"
    result.parent.mkdir(parents=True)
    result.write_bytes(b"x")
    job.files.create(filename="a.txt", file_type="summary", file_path=f"results/{job.pk}/1/a.txt")

    with django_capture_on_commit_callbacks(execute=True):
        answer = client.delete(f"/api/jobs/{job.pk}/")
        shown = client.get(f"/api/jobs/{job.pk}/")
        deletion.advance(Deletion.objects.get(job_id=job.pk).pk)

    assert answer.status_code == 204
    assert shown.status_code == 404
    assert not [path for path in Path(settings.DATA_ROOT).rglob("*") if path.is_file()]
    assert not result.parent.parent.exists()
    assert not ServiceCredential.objects.exists()
    assert not JobWork.objects.exists()
    assert AuditLog.objects.filter(action="delete_job", resource_id=str(job.pk)).exists()


def test_bytes_go_with_the_last_job_that_names_them(
    client, ada, panel, settings, django_capture_on_commit_callbacks
):
    path = Path(settings.DATA_ROOT) / "uploads" / "input" / "study.vcf.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    named = {"phase": "done", "status": "failed", "input_file": "uploads/input/study.vcf.gz"}
    first, second = worked(ada, panel, **named), worked(make_user("ben"), panel, **named)

    with django_capture_on_commit_callbacks(execute=True):
        client.delete(f"/api/jobs/{first.pk}/")
        assert deletion.advance(Deletion.objects.get().pk)
    assert path.exists()

    with django_capture_on_commit_callbacks(execute=True):
        client_of(second.user).delete(f"/api/jobs/{second.pk}/")
        assert deletion.advance(Deletion.objects.get().pk)
    assert not path.exists()


def test_delete_of_a_job_that_is_not_over_is_refused(client, ada, panel):
    job = worked(ada, panel, status="running")

    answer = client.delete(f"/api/jobs/{job.pk}/")

    assert answer.status_code == 400
    assert "cancelled before" in answer.json()["error"]
    assert ImputationJob.objects.filter(pk=job.pk).exists()


def test_password_is_revealed_to_the_owner_and_audited(client, ada, panel):
    from federated_imputation.monolith.accounts.operations import store_credential

    job = worked(ada, panel)
    assert client.post(f"/api/jobs/{job.pk}/reveal_password/").status_code == 404
    store_credential(
        service_id=job.service_id,
        user_id=ada.pk,
        job_id=job.pk,
        kind=ServiceCredential.Kind.RESULT_PASSWORD,
        secret="abc123",
        now=NOW,
    )

    answer = client.post(f"/api/jobs/{job.pk}/reveal_password/")

    assert answer.json() == {"password": "abc123"}
    assert answer.headers["Cache-Control"] == "no-store"
    audit = AuditLog.objects.get(action="data_access")
    assert audit.resource_id == str(job.pk)
    assert "abc123" not in str(audit.details)


def test_status_updates_are_the_callers_own(client, ada, panel):
    mine = JobStatusUpdate.objects.create(job=make_job(ada, panel), status="pending")
    other = JobStatusUpdate.objects.create(job=make_job(make_user("bob"), panel), status="pending")

    page = client.get("/api/status-updates/").json()

    assert [update["id"] for update in page["results"]] == [mine.pk]
    assert client.get(f"/api/status-updates/{mine.pk}/").status_code == 200
    assert client.get(f"/api/status-updates/{other.pk}/").status_code == 404


ROUTES = [
    ("get", ""),
    ("put", ""),
    ("patch", ""),
    ("delete", ""),
    ("post", "cancel/"),
    ("post", "retry/"),
    ("get", "status_updates/"),
    ("get", "files/"),
    ("get", "files/1/download/"),
    ("post", "reveal_password/"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_job_of_somebody_else_does_not_exist(client, panel, method, path):
    job = worked(make_user("bob"), panel, status="failed", phase="done")

    assert getattr(client, method)(f"/api/jobs/{job.pk}/{path}").status_code == 404
    assert ImputationJob.objects.get(pk=job.pk).status == "failed"


@pytest.mark.parametrize("job_id", [str(uuid4()), "1", "not-an-id", "x" * 300])
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_id_that_is_none_is_404(client, job_id, method, path):
    assert getattr(client, method)(f"/api/jobs/{job_id}/{path}").status_code == 404


@pytest.mark.parametrize(("method", "path"), [*ROUTES, ("get", "../"), ("post", "../")])
def test_anonymous_callers_are_refused(db, ada, panel, method, path):
    job = worked(ada, panel)
    where = "/api/jobs/" if path == "../" else f"/api/jobs/{job.pk}/{path}"

    answer = getattr(Client(), method)(where)

    assert answer.status_code == 403
    assert answer.json()["detail"] == "Authentication credentials were not provided."


@pytest.mark.parametrize("path", ["status-updates/", "result-files/", "result-files/1/download/"])
def test_anonymous_callers_see_no_lists(path):
    assert Client().get(f"/api/{path}").status_code == 403
