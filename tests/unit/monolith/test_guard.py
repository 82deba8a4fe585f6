"""What every request passes before a view sees it, and what every answer carries."""

from ipaddress import ip_network

import pytest

from federated_imputation.monolith.accounts.models import AuditLog
from tests.factories import make_user

pytestmark = pytest.mark.django_db
LOGIN = "/api/auth/login/"
PROXY = "10.0.0.1"
BAD_LOGIN = {"username": "nobody", "password": "wrong"}


@pytest.fixture(autouse=True)
def _trusted_proxy(settings):
    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/24")]


@pytest.mark.parametrize(
    ("peer", "headers", "address"),
    [
        ("192.0.2.7", {}, "192.0.2.7"),
        ("192.0.2.7", {"X-Forwarded-For": "203.0.113.9"}, "192.0.2.7"),
        (PROXY, {"X-Forwarded-For": "203.0.113.9"}, "203.0.113.9"),
        (PROXY, {"X-Forwarded-For": "198.51.100.1, 203.0.113.9, 10.0.0.2"}, "203.0.113.9"),
        (PROXY, {"X-Real-IP": "203.0.113.9", "Forwarded": "for=203.0.113.9"}, PROXY),
    ],
)
def test_the_audit_log_has_the_address_of_the_client(client, peer, headers, address):
    client.post(LOGIN, BAD_LOGIN, REMOTE_ADDR=peer, headers=headers)
    assert AuditLog.objects.get().ip_address == address


@pytest.mark.parametrize("user_agent", ["", "x" * 8_000, "nul\0byte", "half \ud800", "é\x1b[31m"])
def test_no_user_agent_loses_a_row_of_the_audit_log(client, user_agent):
    answer = client.post(LOGIN, BAD_LOGIN, headers={"User-Agent": user_agent})
    assert answer.status_code == 401
    assert len(AuditLog.objects.get().user_agent) <= 512


@pytest.mark.parametrize(
    "header",
    [
        *("X-User-ID", "X-User-Email", "X-User-Roles", "X-User", "Remote-User", "X-Remote-User"),
        *("X-Forwarded-User", "X-Auth-Request-User", "X-Auth-Request-Email"),
    ],
)
@pytest.mark.parametrize("peer", ["192.0.2.7", PROXY])
def test_nobody_is_who_a_header_says(client, header, peer):
    admin = make_user("ada", is_superuser=True, is_staff=True)
    for name in (str(admin.pk), admin.username):
        answer = client.get("/api/auth/user/", headers={header: name}, REMOTE_ADDR=peer)
        assert answer.status_code == 403


@pytest.mark.parametrize(
    ("peer", "proto", "secure"),
    [
        (PROXY, "https", True),
        (PROXY, "http, https", True),
        (PROXY, "https, http", False),
        (PROXY, "gopher", False),
        ("192.0.2.7", "https", False),
    ],
)
def test_only_a_trusted_proxy_says_that_the_client_spoke_tls(client, settings, peer, proto, secure):
    settings.SECURE_HSTS_SECONDS = 3600
    answer = client.get("/healthz", headers={"X-Forwarded-Proto": proto}, REMOTE_ADDR=peer)
    assert ("Strict-Transport-Security" in answer.headers) is secure


@pytest.mark.parametrize(
    "where",
    [
        *("/api/services/?search=%00", "/api/services/%00/", "/healthz?a=b%00c", "/static/%00.js"),
        *("/admin/imputation/imputationjob/?status__exact=%00", "/%00", "/admin/%00/"),
    ],
)
def test_a_nul_in_the_address_is_refused_wherever_it_leads(admin_client, where):
    answer = admin_client.get(where)
    assert answer.status_code == 400
    if where.startswith("/api/"):
        assert answer.json()["code"] == "invalid"


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("192.0.2.7", {}, 404),
        (PROXY, {}, 404),
        (PROXY, {"X-Forwarded-For": "192.0.2.7"}, 404),
        (PROXY, {"X-Forwarded-For": "127.0.0.1"}, 200),
        ("127.0.0.1", {"X-Forwarded-For": "192.0.2.7"}, 404),
        ("127.0.0.1", {"Via": "1.1 somebody"}, 404),
    ],
)
def test_metrics_are_for_our_own_networks(client, address, headers, status):
    answer = client.get("/metrics", REMOTE_ADDR=address, headers=headers)
    assert answer.status_code == status


@pytest.mark.parametrize(
    "where", ["/api/services/", "/api/nowhere/", "/api/jobs/", "/healthz", "/admin/login/"]
)
def test_every_answer_tells_browsers_what_they_may(client, where):
    headers = client.get(where).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    policy = directives(headers["Content-Security-Policy"])
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == ["'none'"]
    assert "unsafe" not in headers["Content-Security-Policy"]


def test_an_answer_of_the_api_may_load_nothing(client):
    policy = directives(client.get("/api/services/").headers["Content-Security-Policy"])
    assert {source for sources in policy.values() for source in sources} == {"'none'"}


def directives(policy):
    parts = [part.split() for part in policy.split(";")]
    return {name: sources for name, *sources in parts}


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://testserver"])
@pytest.mark.parametrize("where", ["/api/services/", LOGIN, "/api/nowhere/", "/healthz"])
def test_no_other_site_may_read_an_answer(client, origin, where):
    preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    for answer in (
        client.get(where, headers={"Origin": origin}),
        client.options(where, headers=preflight),
        client.post(where, headers={"Origin": origin}),
    ):
        assert [name for name in answer.headers if name.lower().startswith("access-control")] == []
