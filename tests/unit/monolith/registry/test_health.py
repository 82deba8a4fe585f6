"""Whether services are up: who is asked when, what is believed, and what people are told."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.federation.probing import Finding, Status
from federated_imputation.monolith.accounts.models import AuditLog
from federated_imputation.monolith.registry import standing
from federated_imputation.monolith.registry.breaker import OPENS_AFTER
from federated_imputation.monolith.registry.health import operations, states
from federated_imputation.monolith.registry.health.models import ServiceCheck, ServiceHealth
from federated_imputation.monolith.registry.health.queries import past_of, watched
from federated_imputation.monolith.registry.health.tasks import check_health
from tests.answering_server import AnsweringServer
from tests.factories import NOW, make_service, make_user
from tests.job_world import Clock

pytestmark = pytest.mark.django_db
SERVER = "/api/v2/server"
UP = {SERVER: (401, b"")}
BROKEN_REDIS = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": "redis://127.0.0.1:1/0",
        "OPTIONS": {"socket_timeout": 0.5, "socket_connect_timeout": 0.5},
    }
}
ALWAYS = {"service_id", "service_name", "status", "message", "test_url", "cache_info"}


class Probes:
    """Finds what the test says, and counts."""

    def __init__(self, status=Status.HEALTHY):
        self.status = status
        self.count = 0

    def __call__(self, targets):
        self.count += len(targets)
        return {
            key: Finding(status=self.status, message="So it is.", test_url=target.api_url)
            for key, target in targets.items()
        }


@pytest.fixture
def server(settings):
    with AnsweringServer(UP) as made:
        settings.GUARDED_HTTP_ALLOW = [made.target]
        yield made


@pytest.fixture
def service(server):
    made = make_service(api_url=server.url)
    cache.delete(f"health:{made.pk}")  # of a test whose row had this number
    return made


@pytest.fixture
def ada(client):
    user = make_user(role="researcher")
    client.force_login(user)
    return user


@pytest.fixture
def everywhere(settings):
    """Services that are not on this machine may be asked, too; by `Probes` no one really is."""
    settings.BACKGROUND_CHECKS = True


def ask(service, **given):
    defaults = {"clock": Clock(), "probe": Probes(), "jitter": lambda: 0.0}
    (answer,) = operations.check_services([service], **{**defaults, **given})
    return answer


def age(service, **by):
    """Let the last check have been longer ago, for the database."""
    ServiceHealth.objects.filter(service=service).update(
        checked_at=timezone.now() - timedelta(**by)
    )


def test_health_is_asked_once_and_then_told_from_the_cache(client, ada, service, server):
    first = client.get(f"/api/services/{service.pk}/health/")
    again = client.get(f"/api/services/{service.pk}/health/").json()
    assert (first.status_code, len(server.paths)) == (200, 1)
    body = first.json()
    assert body.keys() == {*ALWAYS, "response_time_ms"}
    assert (body["service_id"], body["service_name"]) == (service.pk, "AFR node")
    assert (body["status"], body["test_url"]) == ("healthy", server.url + SERVER)
    assert body["message"] == "The service is up and asks for a token."
    assert body["cache_info"]["ttl_seconds"] == 900
    assert not body["cache_info"]["cached"]
    assert again["cache_info"]["cached"]
    assert 890 <= again["cache_info"]["expires_in_seconds"] <= 900


def test_service_that_is_down_is_200_with_the_reason(client, ada, service, server):
    server.answers = {SERVER: (502, b"TOP SECRET")}
    answer = client.get(f"/api/services/{service.pk}/health/")
    assert answer.status_code == 200
    assert answer.json()["status"] == "unhealthy"
    assert answer.json()["error"] == "It answered 502."
    assert answer.json()["cache_info"]["ttl_seconds"] == 60
    assert b"SECRET" not in answer.content


def test_maintenance_is_shown_as_such_here_and_in_the_list(client, ada, service, server):
    server.answers = {SERVER: (200, b'{"maintenace": true, "maintenaceMessage": "Disks."}')}
    body = client.get(f"/api/services/{service.pk}/health/").json()
    assert body["status"] == "maintenance"
    listed = client.get("/api/services/").json()["results"][0]
    assert listed["health_status"] == "maintenance"


@pytest.mark.parametrize(
    ("status", "by", "seconds"),
    [
        (Status.HEALTHY, states.Asker.USER, 900),
        (Status.HEALTHY, states.Asker.SYSTEM, 900),
        (Status.UNHEALTHY, states.Asker.USER, 60),
        (Status.UNHEALTHY, states.Asker.SYSTEM, 10),
        (Status.MAINTENANCE, states.Asker.USER, 60),
    ],
)
def test_what_was_found_is_believed_for_its_time(everywhere, service, status, by, seconds):
    clock, probes = Clock(timezone.now()), Probes(status)
    ask(service, clock=clock, probe=probes)
    clock.move(timedelta(seconds=seconds - 1))
    assert ask(service, clock=clock, probe=probes, by=by).is_cached
    clock.move(timedelta(seconds=1))
    assert not ask(service, clock=clock, probe=probes, by=by).is_cached
    assert probes.count == 2


def test_force_checks_what_is_believed_but_gives_the_service_its_rest(service):
    clock, probes = Clock(timezone.now()), Probes()
    ask(service, clock=clock, probe=probes)
    clock.move(timedelta(seconds=9))
    resting = ask(service, clock=clock, probe=probes, force=True)
    clock.move(timedelta(seconds=1))
    forced = ask(service, clock=clock, probe=probes, force=True)
    assert "once in 10 seconds" in resting.note
    assert resting.state is not None
    assert (forced.is_cached, forced.note, probes.count) == (False, "", 2)


def test_forced_check_over_the_api(client, ada, service, server):
    client.get(f"/api/services/{service.pk}/health/")
    age(service, seconds=11)
    body = client.get(f"/api/services/{service.pk}/health/?force=true").json()
    assert len(server.paths) == 2
    assert (body["cache_info"]["forced"], body["cache_info"]["cached"]) == (True, False)
    assert client.get(f"/api/services/{service.pk}/health/?force=maybe").status_code == 400


def test_service_at_a_new_address_is_not_known_from_the_old_one(client, ada, service, server):
    client.get(f"/api/services/{service.pk}/health/")
    service.api_url = f"{server.url}/new"
    service.save()
    assert client.get("/api/services/").json()["results"][0]["health_status"] == "not checked"
    client.get(f"/api/services/{service.pk}/health/")
    assert server.paths[1] == f"/new{SERVER}"


@pytest.mark.parametrize("force", ["", "?force=true"])
def test_others_than_this_machine_are_not_asked_while_background_checks_are_off(
    client, ada, settings, force
):
    assert settings.BACKGROUND_CHECKS is False
    service = make_service(api_url="https://198.51.100.7")
    body = client.get(f"/api/services/{service.pk}/health/{force}").json()
    assert body["status"] == "not checked"
    assert "Background checks are off" in body["note"]
    assert not ServiceHealth.objects.exists()


def test_service_that_is_switched_off_is_not_asked(client, ada, service, server):
    service.is_active = False
    service.save()
    body = client.get(f"/api/services/{service.pk}/health/?force=true").json()
    assert (body["status"], server.paths) == ("not checked", [])


def test_what_jobs_found_is_said_beside(client, ada, service):
    leave = standing.enter(service.pk, now=NOW)
    for _ in range(OPENS_AFTER):
        standing.note_silence(leave, "No connection.", now=NOW, jitter=0)
    body = client.get(f"/api/services/{service.pk}/health/").json()
    assert body["status"] == "healthy"
    assert "does not answer since 2026-03-01 12:00 UTC" in body["note"]
    assert client.get("/api/services/").json()["results"][0]["health_status"] == "unhealthy"


def test_health_all_tells_of_every_active_service(client, ada, service, settings):
    with AnsweringServer({SERVER: (500, b"")}) as down:
        settings.GUARDED_HTTP_ALLOW = [*settings.GUARDED_HTTP_ALLOW, down.target]
        make_service("Down", api_url=down.url)
        make_service("Far")
        make_service("Closed", is_active=False)
        body = client.get("/api/services/health_all/").json()
    told = {each["service_name"]: each["status"] for each in body["services"]}
    assert told == {"AFR node": "healthy", "Down": "unhealthy", "Far": "not checked"}
    assert (body["total"], body["healthy"]) == (3, 1)


def test_cache_can_be_looked_at_and_cleared(client, ada, service, server):
    info, stats = f"/api/services/{service.pk}/cache_info/", "/api/services/cache_stats/"
    empty = client.get(info).json()
    assert empty["service_name"] == "AFR node"
    assert empty["cache_info"] == {
        "cached": False,
        "checked_at": None,
        "age_seconds": None,
        "ttl_seconds": None,
        "expires_in_seconds": None,
        "forced": False,
    }
    client.get(f"/api/services/{service.pk}/health/")
    assert client.get(info).json()["cache_info"]["cached"]
    counted = client.get(stats).json()
    assert (counted["cached_services"], counted["online_services"]) == (1, 1)
    assert counted["ttl_seconds"] == {"online": 900, "offline_user": 60, "offline_system": 10}

    cleared = client.post(f"/api/services/{service.pk}/clear_cache/")
    assert (cleared.status_code, cleared.json()["cleared"]) == (200, True)
    assert not client.get(info).json()["cache_info"]["cached"]
    assert len(server.paths) == 1
    age(service, seconds=11)
    client.get(f"/api/services/{service.pk}/health/")
    assert len(server.paths) == 2


def test_administrator_clears_the_cache_of_all_services_audited(client, service):
    client.force_login(make_user("grace", role="admin"))
    client.get(f"/api/services/{service.pk}/health/")
    answer = client.post("/api/services/clear_all_cache/")
    assert (answer.status_code, answer.json()["cleared_count"]) == (200, 1)
    assert AuditLog.objects.filter(action="clear_all_cache", details={"cleared": 1}).exists()
    assert client.get("/api/services/cache_stats/").json()["cached_services"] == 0


def test_researcher_may_not_clear_the_cache_of_all(client, ada):
    assert client.post("/api/services/clear_all_cache/").status_code == 403


@pytest.mark.parametrize("path", ["health/", "cache_info/", "clear_cache/"])
def test_unknown_service_is_404(client, ada, path):
    method = client.post if path == "clear_cache/" else client.get
    assert method(f"/api/services/{2**31}/{path}").status_code == 404


def test_anonymous_callers_cause_no_check(client, service, server):
    assert client.get(f"/api/services/{service.pk}/health/").status_code == 403
    assert client.get("/api/services/health_all/").status_code == 403
    assert server.paths == []


def test_without_redis_the_rows_tell_and_services_are_not_asked_more_often(
    client, ada, service, server, settings
):
    settings.CACHES = BROKEN_REDIS
    first = client.get(f"/api/services/{service.pk}/health/")
    again = client.get(f"/api/services/{service.pk}/health/").json()
    assert (first.status_code, first.json()["status"]) == (200, "healthy")
    assert again["cache_info"]["cached"]
    assert len(server.paths) == 1
    assert client.get("/api/services/health_all/").status_code == 200
    assert client.get("/api/services/cache_stats/").json()["cached_services"] == 1
    refused = client.post(f"/api/services/{service.pk}/clear_cache/")
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")


def test_rubbish_in_the_cache_is_no_state(client, ada, service, server):
    for rubbish in ({"status": "healthy"}, [1], "x", {"checked_at": "now", "since": 7}):
        cache.set(f"health:{service.pk}", rubbish, timeout=60)
        age(service, seconds=11)
        assert client.get(f"/api/services/{service.pk}/health/").json()["status"] == "healthy"
    assert len(server.paths) == 4


def test_check_that_was_left_by_a_dead_process_is_made_by_another(service):
    clock, probes = Clock(timezone.now()), Probes()
    ServiceHealth.objects.create(service=service, claimed_until=clock() + states.CLAIM_LASTS)
    waited = ask(
        service, clock=clock, probe=probes, pause=lambda s: clock.move(timedelta(seconds=s))
    )
    assert (waited.state, probes.count) == (None, 0)
    assert "takes long" in waited.note
    clock.move(states.CLAIM_LASTS)
    assert ask(service, clock=clock, probe=probes).state is not None


def test_late_finding_of_a_check_whose_time_is_over_is_dropped(service):
    clock = Clock(timezone.now())

    def slow(targets):
        clock.move(states.CLAIM_LASTS)
        ask(service, clock=clock, probe=Probes(Status.MAINTENANCE))
        return Probes(Status.HEALTHY)(targets)

    ask(service, clock=clock, probe=slow)
    assert ServiceHealth.objects.get(service=service).status == "maintenance"


def test_beat_checks_what_is_due_and_comes_again_before_the_news_is_old(everywhere, service):
    clock, probes = Clock(timezone.now()), Probes()
    make_service("Closed", is_active=False)

    def due():
        return operations.check_due(clock=clock, probe=probes, jitter=lambda: 0.9)

    assert (due(), due()) == (1, 0)
    health = ServiceHealth.objects.get(service=service)
    assert clock() + timedelta(minutes=10) < health.next_check_at < clock() + states.ONLINE_FOR
    probes.status = Status.UNHEALTHY
    clock.now = health.next_check_at
    assert due() == 1
    health.refresh_from_db()
    assert clock() < health.next_check_at <= clock() + timedelta(seconds=60)
    assert (health.status, health.since) == ("unhealthy", clock())
    assert [check.status for check in ServiceCheck.objects.order_by("id")] == [
        "healthy",
        "unhealthy",
    ]


def test_beat_shows_the_list_what_it_found_and_asks_nobody_when_it_is_off(
    client, service, server, settings
):
    check_health()
    assert server.paths == []
    settings.BACKGROUND_CHECKS = True
    check_health()
    assert client.get("/api/services/").json()["results"][0]["health_status"] == "healthy"


def test_status_that_lasts_keeps_its_beginning(service):
    clock = Clock(timezone.now())
    ask(service, clock=clock, probe=Probes(Status.TIMEOUT))
    began = clock()
    clock.move(timedelta(minutes=2))
    lasting = ask(service, clock=clock, probe=Probes(Status.TIMEOUT)).state
    assert lasting is not None
    assert (lasting.since, lasting.checked_at) == (began, clock())


def test_past_is_counted_and_swept(service):
    rows = [
        ServiceCheck(
            service=service,
            status="healthy" if n else "timeout",
            response_time_ms=10 * n or None,
            checked_at=NOW - timedelta(minutes=n),
        )
        for n in range(4)
    ]
    ServiceCheck.objects.bulk_create(rows)
    ServiceCheck.objects.create(
        service=service, status="healthy", checked_at=NOW - operations.KEPT_FOR * 2
    )
    past = past_of(list(watched()), since=NOW - timedelta(days=1))[service.pk]
    assert (past.checks, past.uptime, past.response_time_ms) == (4, 75.0, 20.0)
    assert operations.sweep_checks(now=NOW) == 1
    assert ServiceCheck.objects.count() == 4


def test_sweep_keeps_the_newest_of_very_many(service):
    ServiceCheck.objects.bulk_create(
        ServiceCheck(service=service, status="healthy", checked_at=NOW - timedelta(seconds=n))
        for n in range(operations.MOST_KEPT + 3)
    )
    ServiceHealth.objects.create(service=service)
    assert operations.sweep_checks(now=NOW) == 3
    assert ServiceCheck.objects.latest("checked_at").checked_at == NOW


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8030", True),
        ("http://localhost:8030/x", True),
        ("http://[::1]:8030", True),
        ("https://example.org", False),
        ("https://localhost.example.org", False),
        ("https://10.0.0.1", False),
        ("http://[bad", False),
        ("", False),
    ],
)
def test_loopback_is_known_from_the_address_alone(url, expected):
    assert states.is_loopback(url) is expected


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("force", ["", "?force=true"])
def test_many_who_ask_at_once_cause_one_check(server, settings, force):
    service = make_service(api_url=server.url)
    cache.delete(f"health:{service.pk}")
    user = make_user(role="researcher")
    server.gate.clear()
    people = 12
    together = threading.Barrier(people)

    def one(number):
        client = Client()
        client.force_login(user)
        together.wait()
        try:
            path = (
                f"/api/services/{service.pk}/health/" if number % 3 else "/api/services/health_all/"
            )
            body = client.get(path + force).json()
            return (body if number % 3 else body["services"][0])["status"]
        finally:
            connection.close()

    with ThreadPoolExecutor(people) as pool:
        asked = [pool.submit(one, number) for number in range(people)]
        assert server.arrived.wait(30)
        server.gate.set()
        told = {future.result() for future in asked}
    assert told == {"healthy"}
    assert len(server.paths) == 1
