"""What operators see of a job, and do to it with the same rights as over the API."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission

from federated_imputation.monolith.accounts.models import AuditLog, ServicePermission
from federated_imputation.monolith.jobs.models import ImputationJob, JobStatusUpdate, JobWork
from tests.factories import NOW, make_job, make_panel, make_service, make_user

pytestmark = pytest.mark.django_db
LIST = "/admin/imputation/imputationjob/"


@pytest.fixture
def panel():
    return make_panel(make_service())


@pytest.fixture
def operator(client, panel):
    """Staff that sees every job, and manages those of one service."""
    user = make_user("operator", role="service_admin", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_imputationjob"))
    ServicePermission.objects.create(user=user, service=panel.service, permission="manage_jobs")
    client.force_login(user)
    return user


def choose(client, action, *jobs, **more):
    chosen = [str(job.pk) for job in jobs]
    return client.post(LIST, {"action": action, "_selected_action": chosen, **more})


def confirm(client, action, *jobs):
    return client.get(choose(client, action, *jobs, confirmed="yes").url).content.decode()


def statuses():
    return dict(ImputationJob.objects.values_list("name", "status"))


def test_page_before_cancelling_tells_what_is_refused(client, operator, panel):
    ada = make_user()
    waits, over = make_job(ada, panel, name="Waits"), make_job(ada, panel, status="completed")
    other = make_job(ada, make_panel(make_service("EUR node")), name="Elsewhere")
    answer = choose(client, "cancel", waits, over, other)
    assert [each.row for each in answer.context["will"]] == [waits]
    told = {each.row.pk: each.told for each in answer.context["refused"]}
    assert told[over.pk] == "A job that is completed cannot be cancelled."
    assert "those who manage the jobs of its service" in told[other.pk]
    assert statuses()["Waits"] == "pending"


def test_jobs_are_cancelled_and_retried_each_by_the_callers_right(client, operator, panel):
    ada = make_user()
    mine = make_job(ada, panel, name="Mine")
    other = make_job(ada, make_panel(make_service("EUR node")), name="Elsewhere")
    told = confirm(client, "cancel", mine, other)
    assert "Asked to end." in told
    assert "those who manage the jobs of its service" in told
    assert statuses() == {"Mine": "cancelled", "Elsewhere": "pending"}
    ImputationJob.objects.filter(pk=other.pk).update(status="failed")
    confirm(client, "retry", mine, other)
    assert statuses() == {"Mine": "pending", "Elsewhere": "failed"}
    assert "A job that is pending cannot be retried." in confirm(client, "retry", mine)
    rows = AuditLog.objects.filter(action__in=["cancel_job", "retry_job"]).order_by("id")
    assert [(row.action, row.user_id, row.resource_id) for row in rows] == [
        ("cancel_job", operator.pk, str(mine.pk)),
        ("retry_job", operator.pk, str(mine.pk)),
    ]


def test_only_what_may_be_retried_is_foreseen(client, operator, panel):
    job = make_job(make_user(), panel, status="failed")
    other = make_job(job.user, make_panel(make_service("EUR node")), status="failed")
    answer = choose(client, "retry", job, other)
    assert [each.row for each in answer.context["will"]] == [job]


def test_page_tells_the_work_and_every_event_page_by_page(client, operator, panel):
    job = make_job(
        make_user(),
        panel,
        status="running",
        service_response={"hash": "s3cr3t"},
        result_files=["s3cr3t"],
    )
    JobWork.objects.create(
        job=job,
        phase="follow",
        next_poll_at=NOW,
        attempt=2,
        failures=3,
        failing_since=NOW,
        last_error="It is silent.",
    )
    for number in range(51):
        JobStatusUpdate.objects.create(
            job=job,
            status="running",
            message=f"Event {number}.",
            timestamp=NOW + timedelta(seconds=number),
            external_data={"hash": "s3cr3t"},
        )
    first = client.get(f"{LIST}{job.pk}/change/").content.decode()
    assert "At the service" in first
    assert "It is silent. (3 in a row" in first
    assert "Event 49." in first
    assert "Event 50." not in first
    assert "Event 50." in client.get(f"{LIST}{job.pk}/change/?events=2").content.decode()
    for odd in ("x", "0", "99", "-1"):
        answer = client.get(f"{LIST}{job.pk}/change/?events={odd}")
        assert answer.status_code == 200
        assert "s3cr3t" not in answer.content.decode()


def test_job_that_nobody_took_up_is_shown(client, operator, panel):
    job = make_job(make_user(), panel)
    page = client.get(f"{LIST}{job.pk}/change/").content.decode()
    assert "Nobody has taken it up yet" in page
    assert "Nothing yet." in page
    assert client.get(f"{LIST}nothing/change/").status_code == 302
