"""Dashboard numbers, legacy health answers, and what holds for every path."""

from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.urls import path

from federated_imputation.monolith.accounts.models import (
    AuditLog,
    ServicePermission,
    UserServiceAccess,
)
from federated_imputation.urls import monolith as urls
from tests.factories import NOW, make_job, make_panel, make_service, make_user


@pytest.fixture
def panel():
    return make_panel(make_service())


@pytest.mark.django_db
def test_stats_are_the_callers_own(client, panel):
    ada, grace = make_user("ada", role="researcher"), make_user("grace", role="admin")
    for number, status in enumerate(
        ["completed", "completed", "failed", "pending", "queued", "running", "cancelled"]
    ):
        make_job(ada, panel, status=status, created_at=NOW + timedelta(minutes=number))
    make_job(grace, panel, name="Not Ada's")
    UserServiceAccess.objects.create(user=ada, service=panel.service)
    make_service("Closed", is_active=False)
    client.force_login(ada)
    body = client.get("/api/dashboard/stats/").json()
    assert body["job_stats"] == {
        "total": 7,
        "completed": 2,
        "running": 3,
        "failed": 1,
        "success_rate": 28.57,
    }
    assert body["service_stats"] == {"available_services": 1, "accessible_services": 1}
    assert [job["status"] for job in body["recent_jobs"]] == [
        "cancelled",
        "running",
        "queued",
        "pending",
        "failed",
    ]
    assert body["recent_jobs"] == client.get("/api/jobs/").json()["results"][:5]
    assert body["status"] == "success"
    assert body["timestamp"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("role", "total"),
    [
        ("admin", 3),
        ("service_admin", 3),
        ("researcher", 1),
        ("service_user", 1),
        ("viewer", 1),
        (None, 1),
    ],
)
def test_stats_are_of_all_jobs_for_who_may_see_them_all(client, panel, role, total):
    caller, ada = make_user("caller", role=role), make_user("ada")
    mine = make_job(caller, panel, status="completed")
    theirs = [
        make_job(ada, panel, status=status, created_at=NOW + timedelta(minutes=1))
        for status in ("completed", "failed")
    ]
    client.force_login(caller)

    body = client.get("/api/dashboard/stats/").json()

    assert body["job_stats"]["total"] == total
    assert body["job_stats"]["completed"] == (2 if total == 3 else 1)
    shown = {job["id"] for job in body["recent_jobs"]}
    assert shown == {str(job.pk) for job in ([mine, *theirs] if total == 3 else [mine])}
    looks = AuditLog.objects.filter(action="data_access", resource_type="job", user=caller)
    assert [set(look.details["ids"]) for look in looks] == (
        [{str(job.pk) for job in theirs}] if total == 3 else []
    )


@pytest.mark.django_db
def test_stats_of_who_sees_the_jobs_of_one_service_are_the_own(client, panel):
    caller = make_user("caller", role="viewer")
    ServicePermission.objects.create(service=panel.service, user=caller, permission="view_jobs")
    make_job(make_user("ada"), panel)
    client.force_login(caller)

    assert client.get("/api/jobs/").json()["count"] == 1
    assert client.get("/api/dashboard/stats/").json()["job_stats"]["total"] == 0


@pytest.mark.django_db
def test_stats_are_zeros_for_an_anonymous_caller(client, panel):
    make_job(make_user(), panel, status="completed")
    body = client.get("/api/dashboard/stats/").json()
    assert set(body["job_stats"].values()) == {0}
    assert body["service_stats"] == {"available_services": 1, "accessible_services": 0}
    assert body["recent_jobs"] == []


@pytest.mark.django_db
def test_stats_fall_back_to_zeros_while_the_database_does_not_answer(client, panel):
    client.force_login(make_user(role="researcher"))

    def away(execute, sql, params, many, context):
        raise OperationalError("the connection is lost")

    with connection.execute_wrapper(away):
        answer = client.get("/api/dashboard/stats/")
        overview = client.get("/api/dashboard/services_overview/")
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "fallback"
    assert set(body["job_stats"].values()) == {0}
    assert body["service_stats"] == {"available_services": 0, "accessible_services": 0}
    assert (body["recent_jobs"], overview.status_code) == ([], 503)


@pytest.mark.django_db
def test_overview_tells_what_each_active_service_offers(client, panel, django_assert_num_queries):
    make_panel(panel.service, "second", build="hg19")
    make_panel(panel.service, "third", population="", build="")
    make_panel(panel.service, "gone", population="Gone", is_active=False)
    make_panel(make_service("EUR node"), population="European")
    make_service("Closed", is_active=False)
    with django_assert_num_queries(2):
        first, second = client.get("/api/dashboard/services_overview/").json()
    assert first == {
        "id": panel.service_id,
        "name": "AFR node",
        "service_type": "michigan",
        "api_type": "michigan",
        "location": "",
        "continent": "",
        "populations": ["African"],
        "builds": ["hg19", "hg38"],
        "reference_panels_count": 3,
    }
    assert second["populations"] == ["European"]


def test_dashboard_is_healthy(client):
    body = client.get("/api/dashboard/health/").json()
    assert body["status"] == "healthy"


def test_legacy_health_tells_version_and_environment(client, settings):
    answer = client.get("/health/")
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"status", "timestamp", "version", "environment"}
    assert (body["status"], body["version"]) == ("healthy", settings.VERSION)


@pytest.mark.django_db
def test_legacy_readiness_tells_what_answers(client):
    answer = client.get("/health/ready/")
    assert answer.status_code == 200
    assert answer.json()["checks"] == {"database": "healthy", "cache": "healthy"}


@pytest.mark.django_db
def test_legacy_readiness_is_503_when_the_cache_does_not_answer(client, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = client.get("/health/ready/")
    assert answer.status_code == 503
    assert answer.json()["status"] == "not ready"
    assert answer.json()["checks"] == {"database": "healthy", "cache": "unhealthy"}


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_api_version_is_accepted_when_it_exists(client, version):
    assert client.get("/api/dashboard/health/", headers={"API-Version": version}).status_code == 200


@pytest.mark.parametrize("version", ["v3", "", "1"])
def test_api_version_is_refused_when_it_does_not_exist(client, version):
    answer = client.get("/api/dashboard/health/", headers={"API-Version": version})
    assert answer.status_code == 400
    assert answer.json()["supported_versions"] == ["v1", "v2"]
    assert "error" in answer.json()


def test_api_version_is_asked_for_below_api_only(client):
    assert client.get("/health/", headers={"API-Version": "v3"}).status_code == 200


class _WithCrash:
    """The monolith's routes and one that fails."""

    handler404 = urls.handler404
    handler500 = urls.handler500

    @staticmethod
    def crash(request):
        raise RuntimeError("a secret detail")

    urlpatterns = [*urls.urlpatterns, path("api/crash/", crash), path("crash/", crash)]


def test_unexpected_errors_are_json_and_say_nothing(client, settings):
    settings.ROOT_URLCONF = _WithCrash
    client.raise_request_exception = False
    answer = client.get("/api/crash/")
    assert (answer.status_code, answer.json()["detail"]) == (500, "Internal server error.")
    assert client.get("/crash/").status_code == 500


def test_pages_outside_the_api_are_404_in_html(client):
    answer = client.get("/nothing-here/")
    assert answer.status_code == 404
    assert answer["Content-Type"].startswith("text/html")
