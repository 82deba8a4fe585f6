"""`manage.py job show|retry|cancel`."""

import json
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from federated_imputation.monolith.accounts.models import AuditLog, ServiceCredential
from federated_imputation.monolith.accounts.operations import store_credential
from federated_imputation.monolith.jobs.models import JobStatusUpdate, JobWork
from tests.factories import NOW, make_job, make_panel, make_service, make_user

pytestmark = pytest.mark.django_db
TOKEN, PASSWORD = "a-users-own-token", "opens-the-results"


@pytest.fixture
def panel():
    return make_panel(make_service())


@pytest.fixture
def job(panel):
    """At its service, held by a worker."""
    job = make_job(
        make_user("ada"), panel, status="running", external_job_id="job-42", progress_percentage=40
    )
    JobWork.objects.create(
        job=job, phase="follow", next_poll_at=NOW, lease_until=NOW, fence=7, attempt=2
    )
    for text in ("The job and its file are stored.", "Sent."):
        JobStatusUpdate.objects.create(job=job, status="pending", message=text, timestamp=NOW)
    for kind, secret in (("job_token", TOKEN), ("result_password", PASSWORD)):
        store_credential(
            service_id=panel.service_id,
            user_id=job.user_id,
            job_id=job.pk,
            kind=ServiceCredential.Kind(kind),
            secret=secret,
            now=timezone.now(),
        )
    return job


@pytest.fixture
def failed(panel):
    job = make_job(make_user("bob"), panel, status="failed", error_message="No sites are left.")
    JobWork.objects.create(job=job, phase="done", attempt=1)
    return job


def command(*arguments):
    out = StringIO()
    call_command("job", *map(str, arguments), stdout=out)
    return out.getvalue()


def audited():
    return list(AuditLog.objects.values_list("action", "user_id", "resource_id", "user_agent"))


def test_job_is_shown_with_lease_history_and_id_at_the_service(job):
    shown = command("show", job.pk)

    for told in (
        *(f"Job {job.pk}: Study", "running, 40 %", "ada", "AFR node", "apps@kit-afr@1.0.0"),
        *("job-42", "follow, attempt 2, due 2026-03-01 12:00:00 UTC", "fence 7"),
        *("2026-03-01 12:00:00 UTC  pending 0 %  The job and its file are stored.", "Sent."),
    ):
        assert told in shown
    assert audited() == [("data_access", None, str(job.pk), "manage.py")]


def test_job_is_shown_to_programs_as_the_api_shows_it(job):
    shown = json.loads(command("show", job.pk, "--json"))

    assert (shown["id"], shown["status"], shown["external_job_id"]) == (
        *(str(job.pk), "running", "job-42"),
    )
    assert [update["message"] for update in shown["status_updates"]][1] == "Sent."
    work = shown["work"]
    assert (work["phase"], work["attempt"], work["fence"]) == ("follow", 2, 7)
    assert work["lease_until"] == "2026-03-01T12:00:00Z"


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_no_secret_of_a_job_is_printed(job, form):
    printed = command("show", job.pk, *form)
    assert TOKEN not in printed
    assert PASSWORD not in printed


def test_job_of_the_legacy_system_is_shown_and_cancelled(panel):
    job = make_job(make_user("ada"), panel, status="pending")
    assert "work" not in command("show", job.pk)
    assert json.loads(command("show", job.pk, "--json"))["work"] is None
    assert json.loads(command("cancel", job.pk, "--json"))["status"] == "cancelled"


def test_failed_job_is_taken_up_again(failed):
    told = json.loads(command("retry", failed.pk, "--json"))

    assert told == {"id": str(failed.pk), "status": "pending", "attempt": 2}
    assert audited() == [("retry_job", None, str(failed.pk), "manage.py")]


def test_job_at_its_service_is_asked_to_end(job):
    assert "is running" in command("cancel", job.pk)

    assert JobWork.objects.get().cancel_requested_at is not None
    assert "cancellation asked for" in command("show", job.pk)
    assert audited()[0] == ("cancel_job", None, str(job.pk), "manage.py")


def test_what_the_state_does_not_allow_is_told_and_changes_nothing(job, failed):
    with pytest.raises(CommandError, match="running cannot be retried"):
        command("retry", job.pk)
    with pytest.raises(CommandError, match="failed cannot be cancelled"):
        command("cancel", failed.pk)
    assert audited() == []


@pytest.mark.parametrize("which", ["show", "retry", "cancel"])
@pytest.mark.parametrize("job_id", [uuid4(), "17", ""])
def test_unknown_job_is_told(which, job_id):
    with pytest.raises(CommandError, match=f"There is no job {job_id}"):
        command(which, job_id)
    assert audited() == []
