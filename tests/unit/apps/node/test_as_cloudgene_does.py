"""Small habits of Cloudgene that its clients have met, beside the traps of `test_traps`."""

from datetime import datetime

import pytest
from django.test import Client
from django.utils import timezone

from apps.node.models import Job, User
from apps.node.operations.jobs import set_maintenance
from tests.unit.apps.node.scenes import finished_job

pytestmark = pytest.mark.django_db
MAINTENANCE = {
    "message": "This functionality is currently under maintenance.",
    "success": False,
}


@pytest.fixture
def admin(account):
    return account("root", role="Admin")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/api/v2/jobs"),
        ("get", "/api/v2/jobs/{job}"),
        ("get", "/api/v2/jobs/{job}/status"),
        ("get", "/api/v2/jobs/{job}/cancel"),
        ("get", "/api/v2/jobs/{job}/restart"),
        ("post", "/api/v2/jobs/submit/imputationserver2"),
        ("get", "/api/v2/server/apps/imputationserver2"),
    ],
)
def test_in_maintenance_users_may_not_even_look_at_jobs_but_administrators_work(
    amina, admin, panels, method, path
):
    job = amina.submitted()
    set_maintenance(on=True)
    refused = amina.request(method, path.format(job=job.pk))
    assert (refused.status_code, refused.json()) == (503, MAINTENANCE)
    assert admin.request(method, path.format(job=job.pk)).status_code in {200, 400}
    assert Job.objects.get(pk=job.pk).state in {1, 6}
    set_maintenance(on=False)
    assert amina.get(f"/api/v2/jobs/{job.pk}").status_code == 200


def test_results_can_be_downloaded_in_maintenance(amina, download):
    job = finished_job(amina.submitted())
    file = amina.get(f"/api/v2/jobs/{job.pk}").json()["outputParams"][0]["files"][0]
    set_maintenance(on=True)
    assert download(f"/share/results/{file['hash']}/{file['name']}").status == 200


def test_without_a_token_maintenance_is_not_what_is_told(client):
    set_maintenance(on=True)
    assert client.get("/api/v2/jobs").status_code == 401


def test_an_administrator_sees_where_the_log_of_a_job_is(amina, admin):
    job = amina.submitted()
    assert amina.get(f"/api/v2/jobs/{job.pk}").json()["logs"] == ""
    assert admin.get(f"/api/v2/jobs/{job.pk}").json()["logs"] == f"logs/{job.pk}"


@pytest.mark.parametrize("app", ["imputationserver2", "imputationserver2@2.0.12"])
def test_the_application_id_is_the_one_that_the_client_gave(amina, app):
    job = amina.submitted(app=app)
    body = amina.get(f"/api/v2/jobs/{job.pk}").json()
    assert body["applicationId"] == app
    assert body["application"] == "Genotype Imputation 2.0.12"


@pytest.mark.parametrize("name", ["", "   "])
def test_a_job_without_a_name_is_called_by_its_id(amina, name):
    job = amina.submitted(**{"job-name": name})
    assert amina.get(f"/api/v2/jobs/{job.pk}").json()["name"] == job.pk


def test_of_a_repeated_field_the_first_value_counts(amina):
    assert amina.submitted(build=["hg38", "hg19"]).parameters["build"] == "hg38"


@pytest.mark.parametrize(
    ("sent", "told"), [("input-x", "x"), ("<b>", "&lt;b&gt;"), ("files-source", "files-source")]
)
def test_an_unknown_field_is_named_as_it_was_read(amina, sent, told):
    answer = amina.submit(**{sent: "1"})
    assert answer.status_code == 400
    assert answer.json()["message"] == f"Parameter '{told}' not found."


def test_a_full_queue_is_told_before_anything_else_that_is_wrong(amina):
    amina.submitted()
    amina.submitted()
    message = "Only 2 jobs per user can be executed simultaneously."
    assert amina.submit(app="none").json()["message"] == message
    assert amina.submit(unknown="1").json()["message"] == message


@pytest.mark.parametrize("page", ["0", "-3"])
def test_a_page_before_the_first_is_the_first(amina, page):
    job = amina.submitted()
    answer = amina.get(f"/api/v2/jobs?page={page}").json()
    assert (answer["page"], [each["id"] for each in answer["data"]]) == (1, [job.pk])


@pytest.mark.parametrize("page", ["x", "1.5", "", "9" * 10, "²"])
def test_a_page_that_is_no_number_is_refused(amina, page):
    assert amina.get(f"/api/v2/jobs?page={page}").status_code == 400


def test_a_profile_tells_moments_as_text_and_roles_in_small_letters(amina, admin):
    body = admin.get("/api/v2/users/whoever/profile").json()
    assert (body["username"], body["role"], body["admin"]) == ("root", "admin", True)
    assert (body["lastLogin"], body["lockedUntil"]) == ("", "")
    assert body["apiTokenMessage"].startswith("API Token was created by root and is valid until ")
    User.objects.filter(pk=amina.user.pk).update(
        last_login_at=timezone.now(), api_token_expires_at=timezone.now()
    )
    body = amina.request("get", "/api/v2/users/amina/profile", session=True).json()
    assert datetime.fromisoformat(body["lastLogin"]).tzinfo is not None
    assert " and expired on " in body["apiTokenMessage"]
    assert (body["hasApiToken"], body["apiTokenValid"]) == (True, False)


def test_the_type_of_an_output_is_null_and_a_client_may_look_for_it(amina):
    job = finished_job(amina.submitted())
    outputs = amina.get(f"/api/v2/jobs/{job.pk}").json()["outputParams"]
    assert [output["type"] for output in outputs] == [None, None]


def test_an_unusable_token_at_an_open_endpoint_counts_as_none():
    body = Client().get("/api/v2/server", headers={"X-Auth-Token": "nonsense"}).json()
    assert (body["loggedIn"], body["apps"]) == (False, [])


def test_counters_leave_out_users_who_are_switched_off(amina, admin):
    User.objects.filter(pk=amina.user.pk).update(active=False)
    assert Client().get("/api/v2/server/counters").json()["users"] == 1
