"""Who may do what with jobs, by role and by rights at services, through the API."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from federated_imputation.monolith.accounts.models import (
    AuditLog,
    ServiceCredential,
    ServicePermission,
    ServiceUserGroup,
    ServiceUserGroupMembership,
    UserRole,
    UserServiceAccess,
)
from federated_imputation.monolith.accounts.operations import store_credential
from federated_imputation.monolith.jobs.models import ImputationJob, JobWork
from tests.factories import NOW, make_job, make_panel, make_service, make_user
from tests.job_world import PANEL, upload

pytestmark = pytest.mark.django_db
FUTURE = datetime(2999, 1, 1, tzinfo=UTC)
PAST = datetime(2020, 1, 1, tzinfo=UTC)
Kind = ServicePermission.Kind


def client_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def grant(user, service, kind, **fields) -> ServicePermission:
    return ServicePermission.objects.create(
        user=user, service=service, permission=kind, granted_at=NOW, **fields
    )


@pytest.fixture
def panel():
    return make_panel(make_service(), PANEL)


@pytest.fixture
def other_panel():
    return make_panel(make_service("EUR node"), PANEL)


@pytest.fixture
def ada():
    return make_user("ada", role="researcher")


@pytest.fixture
def carol():
    """May do nothing by role."""
    return make_user("carol", role="viewer")


@pytest.fixture
def submit(panel):
    def post(user, at=panel):
        form = {
            "name": "Study",
            "service": at.service_id,
            "reference_panel": at.pk,
            "input_file": upload(),
            "user_token": "a-users-own-token",
        }
        return client_of(user).post("/api/jobs/", form)

    return post


@pytest.fixture
def job(ada, panel) -> ImputationJob:
    job = make_job(ada, panel, status="failed")
    JobWork.objects.create(job=job, phase="done", attempt=1)
    return job


@pytest.fixture
def running(ada, panel) -> ImputationJob:
    job = make_job(ada, panel, status="running", external_job_id="job-1")
    JobWork.objects.create(job=job, phase="follow", next_poll_at=NOW, attempt=1)
    return job


@pytest.mark.parametrize("role", ["admin", "service_admin", "researcher", "service_user", None])
def test_job_is_taken_from_those_whose_role_submits(submit, role):
    assert submit(make_user("bob", role=role)).status_code == 201


def test_job_of_a_viewer_is_refused_and_the_way_out_told(submit, carol):
    answer = submit(carol)
    assert answer.status_code == 403
    assert answer.json()["detail"] == (
        "Your role may not submit jobs. Ask an administrator for another role, or for the right "
        "to submit jobs to this service."
    )
    assert not ImputationJob.objects.exists()


def test_role_that_is_switched_off_submits_nothing_from_the_next_request(submit, ada):
    assert submit(ada).status_code == 201
    UserRole.objects.filter(name="researcher").update(is_active=False)
    assert submit(ada).status_code == 403


@pytest.mark.parametrize(
    ("kind", "status"),
    [("submit_jobs", 201), ("admin", 201), ("manage_jobs", 403), ("view_jobs", 403), ("view", 403)],
)
def test_right_to_submit_counts_at_its_own_service(submit, carol, panel, other_panel, kind, status):
    grant(carol, panel.service, kind)
    assert submit(carol).status_code == status
    assert submit(carol, at=other_panel).status_code == 403


@pytest.mark.parametrize(
    "fields",
    [{"is_active": False}, {"expires_at": PAST}, {"is_active": False, "expires_at": FUTURE}],
)
def test_right_that_is_off_or_over_gives_nothing(submit, carol, ada, panel, job, fields):
    for kind in Kind:
        grant(carol, panel.service, kind, **fields)
    assert submit(carol).status_code == 403
    assert client_of(carol).get(f"/api/jobs/{job.pk}/").status_code == 404


def test_service_that_bars_a_user_takes_no_job_whatever_the_role(submit, panel, other_panel):
    boss = make_user("boss", role="admin")
    grant(boss, panel.service, Kind.ADMIN)
    access = UserServiceAccess.objects.create(user=boss, service=panel.service, has_access=False)
    answer = submit(boss)
    assert answer.status_code == 403
    assert "switched off" in answer.json()["detail"]
    assert submit(boss, at=other_panel).status_code == 201
    UserServiceAccess.objects.filter(pk=access.pk).update(has_access=True)
    assert submit(boss).status_code == 201


@pytest.mark.parametrize("kind", ["view_jobs", "manage_jobs", "admin"])
def test_right_to_view_jobs_shows_those_of_its_own_service(
    carol, ada, panel, other_panel, job, kind
):
    elsewhere = make_job(ada, other_panel)
    grant(carol, panel.service, kind)
    client = client_of(carol)
    page = client.get("/api/jobs/").json()
    assert [row["id"] for row in page["results"]] == [str(job.pk)]
    for path in ("", "status_updates/", "files/"):
        assert client.get(f"/api/jobs/{job.pk}/{path}").status_code == 200
        assert client.get(f"/api/jobs/{elsewhere.pk}/{path}").status_code == 404


@pytest.mark.parametrize("kind", ["view", "submit_jobs"])
def test_other_rights_show_no_job(carol, panel, job, kind):
    grant(carol, panel.service, kind)
    client = client_of(carol)
    assert client.get("/api/jobs/").json()["count"] == 0
    for path in ("", "status_updates/", "files/"):
        assert client.get(f"/api/jobs/{job.pk}/{path}").status_code == 404
    for path in ("cancel/", "retry/", "reveal_password/"):
        assert client.post(f"/api/jobs/{job.pk}/{path}").status_code == 404


@pytest.mark.parametrize("kind", ["manage_jobs", "admin"])
def test_right_to_manage_jobs_cancels_and_retries(carol, panel, job, running, kind):
    grant(carol, panel.service, kind)
    client = client_of(carol)
    assert client.post(f"/api/jobs/{running.pk}/cancel/").status_code == 202
    assert client.post(f"/api/jobs/{job.pk}/retry/").status_code == 202
    rows = AuditLog.objects.order_by("id").values_list("action", "user_id", "resource_id")
    assert list(rows) == [
        ("cancel_job", carol.pk, str(running.pk)),
        ("retry_job", carol.pk, str(job.pk)),
    ]


def test_only_the_owner_brings_a_token(ada, carol, panel, job):
    grant(carol, panel.service, Kind.MANAGE_JOBS)
    token = {"user_token": "a-token"}
    target = f"/api/jobs/{job.pk}/retry/"
    assert client_of(carol).post(target, token, "application/json").status_code == 403
    assert ImputationJob.objects.get(pk=job.pk).status == "failed"
    assert client_of(ada).post(target, token, "application/json").status_code == 202


def test_updates_of_a_job_are_its_own(ada, panel, job):
    for each in (job, make_job(ada, panel)):
        each.status_updates.create(status="failed", message=str(each.pk), timestamp=NOW)
    rows = client_of(ada).get(f"/api/jobs/{job.pk}/status_updates/").json()
    assert [row["message"] for row in rows] == [str(job.pk)]


def test_right_to_view_jobs_changes_none(carol, panel, job, running):
    grant(carol, panel.service, Kind.VIEW_JOBS)
    client = client_of(carol)
    assert client.post(f"/api/jobs/{running.pk}/cancel/").status_code == 403
    assert client.post(f"/api/jobs/{job.pk}/retry/").status_code == 403
    assert ImputationJob.objects.get(pk=job.pk).status == "failed"


@pytest.mark.parametrize("manager", ["by right", "by role"])
def test_what_a_job_brought_stays_its_owners(ada, panel, job, manager):
    user = make_user("bob", role="admin" if manager == "by role" else "viewer")
    grant(user, panel.service, Kind.ADMIN)
    file = job.files.create(filename="chr_20.zip", file_type="imputed_data", file_path="x")
    store_credential(
        service_id=panel.service_id,
        kind=ServiceCredential.Kind.RESULT_PASSWORD,
        secret="pl41nt3xt",
        user_id=ada.pk,
        job_id=job.pk,
        now=NOW,
    )
    client = client_of(user)
    target = f"/api/jobs/{job.pk}/"
    assert client.post(f"{target}reveal_password/").status_code == 403
    assert client.patch(target, {"name": "x"}, "application/json").status_code == 403
    assert client.put(target, {"name": "x"}, "application/json").status_code == 403
    assert client.delete(target).status_code == 403
    assert client.get(f"{target}files/{file.pk}/download/").status_code == 404
    assert client.get(f"/api/result-files/{file.pk}/").status_code == 404
    assert client.get(f"/api/result-files/{file.pk}/download/").status_code == 404
    assert ImputationJob.objects.get(pk=job.pk).name == "Study"


def test_owner_who_may_no_longer_submit_cancels_but_does_not_retry(ada, job, running):
    UserRole.objects.filter(name="researcher").update(is_active=False)
    client = client_of(ada)
    assert client.post(f"/api/jobs/{job.pk}/retry/").status_code == 403
    assert client.post(f"/api/jobs/{running.pk}/cancel/").status_code == 202


def test_owner_whom_the_service_bars_does_not_retry(ada, panel, job):
    UserServiceAccess.objects.create(user=ada, service=panel.service, has_access=False)
    assert client_of(ada).post(f"/api/jobs/{job.pk}/retry/").status_code == 403


def test_look_at_the_job_of_another_is_audited(panel, ada, job):
    boss = make_user("boss", role="admin")
    own = make_job(boss, panel)
    client = client_of(boss)
    for path in ("", "status_updates/", "files/"):
        client.get(f"/api/jobs/{own.pk}/{path}")
        client.get(f"/api/jobs/{job.pk}/{path}")
    client.get("/api/jobs/")
    client_of(ada).get("/api/jobs/")
    rows = AuditLog.objects.values_list("action", "user_id", "resource_type", "resource_id")
    assert list(rows) == [("data_access", boss.pk, "job", str(job.pk))] * 4


@pytest.fixture
def group(panel):
    """A group of the service that holds the right to view its jobs."""
    group = ServiceUserGroup.objects.create(name="Lab", service=panel.service)
    holder = make_user("holder", role="viewer")
    group.permissions.add(grant(holder, panel.service, Kind.VIEW_JOBS))
    return group


def test_group_shares_its_rights_with_its_members_only(carol, group, job):
    client = client_of(carol)
    assert client.get(f"/api/jobs/{job.pk}/").status_code == 404
    membership = ServiceUserGroupMembership.objects.create(group=group, user=carol)
    assert client.get(f"/api/jobs/{job.pk}/").status_code == 200
    membership.delete()
    assert client.get(f"/api/jobs/{job.pk}/").status_code == 404


def test_group_gives_nothing_when_it_or_its_right_is_off_or_over(carol, group, job):
    ServiceUserGroupMembership.objects.create(group=group, user=carol)
    client = client_of(carol)

    def status() -> int:
        return client.get(f"/api/jobs/{job.pk}/").status_code

    assert status() == 200
    ServiceUserGroup.objects.update(is_active=False)
    assert status() == 404
    ServiceUserGroup.objects.update(is_active=True)
    ServicePermission.objects.update(expires_at=PAST)
    assert status() == 404
    ServicePermission.objects.update(expires_at=FUTURE)
    assert status() == 200
    ServicePermission.objects.update(is_active=False)
    assert status() == 404


def test_group_shares_no_right_of_another_service(carol, group, ada, other_panel):
    elsewhere = make_job(ada, other_panel)
    holder = make_user("other-holder", role="viewer")
    group.permissions.add(grant(holder, other_panel.service, Kind.VIEW_JOBS))
    ServiceUserGroupMembership.objects.create(group=group, user=carol)
    assert client_of(carol).get(f"/api/jobs/{elsewhere.pk}/").status_code == 404


def test_deactivated_user_is_out_at_the_next_request(ada, job):
    client = client_of(ada)
    assert client.get(f"/api/jobs/{job.pk}/").status_code == 200
    ada.is_active = False
    ada.save()
    assert client.get(f"/api/jobs/{job.pk}/").status_code == 403


@pytest.mark.parametrize("act", ["look", "rename", "retry"])
def test_rights_are_read_once_for_a_request(ada, job, act):
    client = client_of(ada)
    requests = {
        "look": lambda: client.get(f"/api/jobs/{job.pk}/"),
        "rename": lambda: client.patch(
            f"/api/jobs/{job.pk}/", {"name": "Mine"}, content_type="application/json"
        ),
        "retry": lambda: client.post(f"/api/jobs/{job.pk}/retry/"),
    }
    with CaptureQueriesContext(connection) as asked:
        answer = requests[act]()
    assert answer.status_code < 300, answer.content
    rights = [query for query in asked if "imputation_servicepermission" in query["sql"]]
    assert len(rights) == 1
