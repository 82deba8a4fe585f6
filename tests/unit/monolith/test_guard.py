"""What every request passes before a view sees it, and what every answer carries."""

import re
from base64 import b64encode
from hashlib import sha256
from ipaddress import ip_network

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from federated_imputation.monolith.accounts.models import AuditLog
from tests.factories import PASSWORD, make_job, make_panel, make_service, make_user
from tests.unit.monolith.test_hostile_requests import ROUTES

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
    assert len(AuditLog.objects.get().user_agent) <= 500


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


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://sub.testserver"},
    {"Origin": "http://testserver:8080"},
    {"Origin": "https://testserver"},
    {"Origin": "http://testserver", "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site"},
]
# They look at no cookie, so there is nothing that a stranger's page could use.
WITHOUT_COOKIES = {
    "/api/auth/token/refresh/",
    "/api/auth/token/revoke/",
    "/api/schema/",
    "/api/docs/",
    "/api/test/",
}


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("where", [LOGIN, "/api/auth/logout/", "/api/jobs/"])
def test_a_foreign_page_is_known_by_its_headers(admin_client, where, headers):
    answer = admin_client.post(where, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["code"] == "permission_denied"
    assert admin_client.get("/api/auth/user/").status_code == 200


def test_no_foreign_page_may_act_with_a_cookie_on_any_route(admin_client):
    obeyed = []
    for route in ROUTES:
        where = f"/{route}"
        if not where.startswith("/api/") or where in WITHOUT_COOKIES:
            continue
        for method in ("post", "put", "patch", "delete"):
            answer = getattr(admin_client, method)(where, headers=FOREIGN[0])
            if answer.status_code not in {403, 405}:
                obeyed.append((method, where, answer.status_code))
    assert obeyed == []


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "http://testserver"}, {"Sec-Fetch-Site": "same-origin"}]
)
def test_our_own_pages_and_programs_may(admin_client, headers):
    assert admin_client.post("/api/auth/logout/", headers=headers).status_code == 200


@pytest.mark.parametrize("site", [{}, {"Sec-Fetch-Site": "same-site"}])
def test_a_page_that_the_operator_trusts_may(admin_client, settings, site):
    settings.CSRF_TRUSTED_ORIGINS = ["https://pages.example.org"]
    headers = {"Origin": "https://pages.example.org", **site}
    assert admin_client.post("/api/auth/logout/", headers=headers).status_code == 200


def test_the_admin_demands_its_csrf_token():
    strict = Client(enforce_csrf_checks=True)
    make_user("ada", is_staff=True)
    form = {"username": "ada", "password": PASSWORD}
    assert strict.post("/admin/login/", form).status_code == 403
    strict.get("/admin/login/")
    form["csrfmiddlewaretoken"] = strict.cookies["csrftoken"].value
    foreign = strict.post("/admin/login/", form, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert strict.post("/admin/login/", form).status_code == 302


def test_the_page_of_the_description_runs_under_its_policy(client):
    answer = client.get("/api/docs/")
    policy = directives(answer.headers["Content-Security-Policy"])
    page = answer.content.decode()
    styles = re.findall(r"<style[^>]*>(.*?)</style>", page, re.DOTALL)
    hashes = [b64encode(sha256(style.encode()).digest()).decode() for style in styles]
    assert policy["script-src"] == ["'self'"]
    assert policy["style-src"] == ["'self'", *(f"'sha256-{each}'" for each in hashes)]
    assert_no_inline(page)


@pytest.mark.parametrize(
    "where",
    [
        *("/admin/", "/admin/imputation/", "/admin/password_change/", "/admin/logout/"),
        *("/admin/auth/user/", "/admin/auth/user/add/", "/admin/auth/group/add/"),
        *("/admin/auth/user/{user}/change/", "/admin/auth/user/{user}/password/"),
        *("/admin/auth/user/{user}/history/", "/admin/imputation/userrole/add/"),
        *("/admin/imputation/imputationjob/", "/admin/imputation/imputationjob/{job}/change/"),
        *("/admin/imputation/imputationservice/", "/admin/imputation/imputationservice/add/"),
        "/admin/imputation/imputationservice/{service}/change/",
        *("/admin/imputation/serviceusergroup/add/", "/admin/imputation/auditlog/?q=x"),
        "/admin/imputation/servicepermission/{right}/delete/",
    ],
)
def test_a_page_of_the_admin_runs_under_its_policy(admin_client, admin_user, where):
    job = make_job(admin_user, make_panel(make_service()))
    right = job.service.user_permissions.create(user=admin_user, permission="view")
    post = where.endswith("logout/")
    answer = (admin_client.post if post else admin_client.get)(
        where.format(user=admin_user.pk, job=job.pk, service=job.service_id, right=right.pk)
    )
    assert answer.status_code == 200
    policy = directives(answer.headers["Content-Security-Policy"])
    assert policy["script-src"] == policy["style-src"] == ["'self'"]
    page = answer.content.decode()
    assert "<style" not in page
    assert_no_inline(page)
    assert_alpine_understands(page)
    assert re.findall(r"<(?!a )[^>]+ (?:src|href)=\"(?:\w+:)?//[^\"]*", page) == []


def test_the_login_page_runs_under_its_policy(client):
    page = client.get("/admin/login/").content.decode()
    assert "<style" not in page
    assert_no_inline(page)
    assert_alpine_understands(page)


def assert_alpine_understands(page):
    """No attribute is more than one expression of what the build without `eval` reads."""
    asked = re.findall(r"\s(?:x-[a-z]+|@)[\w.:-]*=\"([^\"]*)\"", page)
    assert asked
    refused = re.compile(r"=>|`|;|\b(?:if|for|let|const|new|function|localStorage|document)\b")
    assert [text for text in asked if refused.search(re.sub(r"'[^']*'", "", text))] == []


def assert_no_inline(page):
    assert re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>", page) == []
    assert re.findall(r"<[^>]+\s(?:on\w+|style)=", page) == []


@pytest.mark.parametrize("number", [11, 200])
def test_more_files_than_an_upload_has_are_refused(admin_client, number):
    files = {f"file{n}": SimpleUploadedFile(f"{n}.vcf", b"x") for n in range(number)}
    answer = admin_client.post("/api/jobs/", files)
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid"
