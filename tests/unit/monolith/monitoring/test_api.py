"""What monitoring tells, to whom, and when it is 503."""

import pytest

from apps.federation.probing import Finding, Status
from federated_imputation.monolith.monitoring.checks import THRESHOLDS, Level, judged, overall
from federated_imputation.monolith.monitoring.machine import CpuMeter, look
from federated_imputation.monolith.registry.health import operations
from tests.factories import make_service, make_user

WELL = dict.fromkeys(THRESHOLDS, 0.0)
HEALTH = "/api/monitoring/health/"
METRICS = "/api/monitoring/metrics/"
DASHBOARD = "/api/monitoring/dashboard/"


@pytest.fixture
def checked(settings):
    settings.BACKGROUND_CHECKS = True
    service = make_service()
    operations.check_due(
        probe=lambda targets: {
            key: Finding(status=Status.HEALTHY, message="Up.", test_url="", response_time_ms=12.0)
            for key in targets
        }
    )
    return service


@pytest.mark.parametrize(
    ("name", "limit"), [("cpu", 80), ("memory", 85), ("disk", 90), ("database_connections", 50)]
)
def test_value_above_its_threshold_is_degraded_and_at_it_is_not(name, limit):
    assert judged({**WELL, name: limit}, away=frozenset())[name].status is Level.HEALTHY
    above = judged({**WELL, name: limit + 0.1}, away=frozenset())
    assert (above[name].status, overall(above)) == (Level.DEGRADED, Level.DEGRADED)


@pytest.mark.parametrize("missing", ["database", "cache"])
def test_platform_without_its_database_or_cache_is_unhealthy(missing):
    checks = judged(WELL, away=frozenset({missing}))
    assert (checks[missing].status, overall(checks)) == (Level.UNHEALTHY, Level.UNHEALTHY)


def test_what_is_not_known_is_not_called_wrong():
    checks = judged({}, away=frozenset())
    assert checks["cpu"].status is Level.UNKNOWN
    assert overall(checks) is Level.HEALTHY


@pytest.mark.django_db
def test_anybody_is_told_how_the_platform_is_without_figures(client):
    answer = client.get(HEALTH)
    assert answer.status_code == 200
    body = answer.json()
    assert body.keys() == {"timestamp", "overall_status", "checks"}
    assert body["overall_status"] in {"healthy", "degraded"}
    assert body["checks"].keys() == {*THRESHOLDS, "database", "cache"}
    assert {tuple(check) for check in body["checks"].values()} == {("status",)}
    assert body["checks"]["database_connections"]["status"] == "healthy"


@pytest.mark.django_db
def test_health_is_503_when_the_cache_does_not_answer(client, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = client.get(HEALTH)
    assert (answer.status_code, answer.json()["overall_status"]) == (503, "unhealthy")
    assert answer.json()["checks"]["cache"] == {"status": "unhealthy"}


@pytest.mark.django_db
def test_metrics_of_the_machine_are_for_those_who_keep_it(client, checked):
    client.force_login(make_user("grace", role="admin"))
    body = client.get(METRICS).json()
    assert 0 < body["system"]["memory_available"] <= body["system"]["memory_total"]
    assert 0 <= body["system"]["disk_percent"] <= 100
    assert body["database"]["connections"] >= body["database"]["active_connections"] >= 1
    assert body["database"]["size"] > 0
    assert body["application"] == {"active_services": 1, "healthy_services": 1}


@pytest.mark.django_db
def test_researcher_sees_services_and_no_machine(client, checked):
    client.force_login(make_user(role="researcher"))
    body = client.get(METRICS).json()
    assert (body["system"], body["database"]) == (None, None)
    assert body["application"]["active_services"] == 1
    shown = client.get(DASHBOARD).json()
    assert shown["checks"] is None
    assert shown["services"] == [
        {
            "id": checked.pk,
            "name": "AFR node",
            "health_status": "healthy",
            "checks_24h": 1,
            "uptime_24h": 100.0,
            "mean_response_time_ms": 12.0,
        }
    ]


@pytest.mark.django_db
def test_staff_see_the_checks_with_their_thresholds(client):
    client.force_login(make_user(is_staff=True))
    checks = client.get(DASHBOARD).json()["checks"]
    assert {name: checks[name]["threshold"] for name in THRESHOLDS} == dict(THRESHOLDS)


@pytest.mark.django_db
@pytest.mark.parametrize("path", [METRICS, DASHBOARD])
def test_anonymous_callers_see_nothing(client, path):
    assert client.get(path).status_code == 403


def test_share_of_the_cpu_is_counted_between_looks_and_never_waits():
    seconds, now = iter([(10.0, 100.0), (11.0, 104.0)]), [0.0]
    meter = CpuMeter(read=lambda: next(seconds), clock=lambda: now[0])
    assert meter.percent() is None
    now[0] = 2.0
    assert meter.percent() == 25.0
    now[0] = 2.5
    assert meter.percent() == 25.0


def test_disk_is_that_of_the_folder_even_before_it_exists(tmp_path):
    assert look(folder=tmp_path / "not" / "yet").disk_total == look(folder=tmp_path).disk_total


def test_echo_repeats_the_message_and_no_header(client):
    secrets = {"Authorization": "Bearer SECRET", "Cookie": "sessionid=SECRET"}
    shown = client.get("/api/test/?text=h%C3%A9llo&token=SECRET", headers=secrets)
    assert (shown.status_code, shown.headers["Cache-Control"]) == (200, "no-store")
    assert shown.json().keys() == {"status", "method", "text", "timestamp"}
    assert (shown.json()["method"], shown.json()["text"]) == ("GET", "héllo")
    assert b"SECRET" not in shown.content
    sent = client.post("/api/test/", {"text": "<b>"}, content_type="application/json")
    assert (sent.json()["method"], sent.json()["text"]) == ("POST", "<b>")
    assert sent.headers["Content-Type"] == "application/json"
    assert client.post("/api/test/").json()["text"] == ""


@pytest.mark.parametrize("method", ["get", "post"])
def test_echo_refuses_a_long_message(client, method):
    answer = getattr(client, method)("/api/test/", {"text": "x" * 1001})
    assert answer.status_code == 400
    assert "text" in answer.json()
