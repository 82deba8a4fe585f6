"""The fourteen security mistakes of the legacy system, each with the tests that it would fail.

Numbered as in the table at the end of `docs/explanation/security.md`. Most have longer tests
beside the code; these show the essence of each through what a caller, an operator or a peer sees.
"""

import ast
import functools
import ipaddress
import json
import logging
import os
import re
import stat
import subprocess
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import jwt
import psycopg
import pytest
import redis
import yaml
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client, RequestFactory
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.shared.http.client import GuardedClient
from apps.shared.http.errors import Cut, NotConnected, Refused
from apps.shared.observability.logs import JsonFormatter
from federated_imputation.deployments import DEPLOYMENTS
from federated_imputation.monolith.accounts.models import (
    AuditLog,
    ServiceCredential,
    ServicePermission,
    UserProfile,
    UserRole,
)
from federated_imputation.monolith.accounts.operations import store_credential
from federated_imputation.monolith.jobs.models import ImputationJob, JobWork
from federated_imputation.monolith.registry.models import ImputationService, ReferencePanel
from federated_imputation.platform.environment import role, write_environments
from federated_imputation.platform.layout import HOST, Layout
from federated_imputation.platform.state import PlatformState
from tests.factories import NOW, PASSWORD, make_job, make_panel, make_service, make_user
from tests.job_world import PANEL, upload
from tests.secret_scan import BASELINE, find_secrets
from tests.unit.apps.shared.http.test_client import (
    OK,
    PUBLIC,
    Internet,
    authority,
    peer,
    tls_client,
    tls_peer,
)
from tests.unit.apps.shared.http.test_client import (
    client as outgoing,
)
from tests.unit.deployments.test_secret_scan import PRIVATE_KEY, checkout
from tests.unit.deployments.test_start import needed, start
from tests.unit.monolith.accounts.login import CURRENT_USER, get, log_in, opens, post, refresh
from tests.unit.monolith.accounts.people import JSON, client_of
from tests.unit.platform.test_databases import connect, pair, superuser

__all__ = ["authority", "checkout", "outgoing", "pair", "peer", "superuser", "tls_peer"]  # fixtures

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
MONOLITH = next(deployment for deployment in DEPLOYMENTS if deployment.settings == "monolith")
LOGIN = "/api/auth/login/"
WRONG = {"username": "ada", "password": "wrong"}
STRANGER, PROXY, CLIENT = "192.0.2.7", "10.0.0.1", "203.0.113.9"
SECRET = "a-users-own-token-7f3e"


@pytest.fixture(autouse=True)
def _place(settings, tmp_path):
    settings.DATA_ROOT = str(tmp_path)
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.TRUSTED_PROXIES = [ipaddress.ip_network("10.0.0.0/24")]


@pytest.fixture
def _limited(settings):
    settings.RATE_LIMITS = settings.AXES_ENABLED = True
    settings.DEPLOYMENT = uuid.uuid4().hex  # no window of another test


@pytest.fixture
def ada():
    return make_user("ada", role="researcher")


@pytest.fixture
def eve():
    return make_user("eve", role="researcher")


@pytest.fixture
def panel():
    return make_panel(make_service(), PANEL)


@pytest.fixture
def job(ada, panel):
    """A job of ada that is over, with one result file."""
    job = make_job(ada, panel, status="completed")
    JobWork.objects.create(job=job, phase="done", attempt=1)
    path = Path(django_settings.DATA_ROOT) / "results" / "chr_20.zip"
    path.parent.mkdir()
    path.write_bytes(b"dose")
    job.files.create(
        filename="chr_20.zip", file_type="imputed_data", file_path="results/chr_20.zip", file_size=4
    )
    return job


def form_of(panel, **fields):
    service = panel.service_id
    return {"name": "Study", "service": service, "reference_panel": panel.pk} | {
        "input_file": upload(),
        "user_token": SECRET,
        **fields,
    }


REPORT = """
import django, json
django.setup()
from django.conf import settings
from django.urls import get_resolver

def routes(patterns, prefix=""):
    for each in patterns:
        if hasattr(each, "url_patterns"):
            yield from routes(each.url_patterns, prefix + str(each.pattern))
        else:
            yield prefix + str(each.pattern)

names = [name for name in dir(settings) if name == "DEBUG" or "_COOKIE_" in name]
print(json.dumps({
    "routes": list(routes(get_resolver().url_patterns)),
    "settings": {name: getattr(settings, name) for name in names},
}))
"""


@functools.cache
def in_production(deployment):
    """Routes and settings of a process of `deployment` with a complete production environment."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT],
        env={
            "PATH": os.environ["PATH"],
            "ENVIRONMENT": "production",
            "DEPLOYMENT": deployment.name,
            "DJANGO_SETTINGS_MODULE": deployment.settings_module,
            **needed(deployment),
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


# 1


def test_mistake_01_default_secrets_no_production_start_without_its_own():
    done = start(MONOLITH, "command", {})

    assert done.returncode != 0
    missing = set(re.findall(r"[A-Z_]{8,}", (done.stdout + done.stderr).splitlines()[-1]))
    assert missing >= set(needed(MONOLITH))


def test_mistake_01_default_secrets_each_fresh_platform_makes_its_own(tmp_path):
    seen = []
    for name in ("one", "two"):
        for folder in ("env", "data", "secrets"):
            (tmp_path / name / folder).mkdir(parents=True)
        state = PlatformState(tmp_path / name)
        write_environments(state, Layout(), given={})
        seen += [path.read_text() for path in (state.root / "secrets").iterdir()]

    assert len(seen) >= 2 * 2 * len(DEPLOYMENTS)
    assert len(set(seen)) == len(seen)
    assert min(map(len, seen)) >= 32


# 2


def test_mistake_02_secrets_in_the_repository_are_found(checkout):
    assert find_secrets(checkout) == []
    (checkout / "cookies.txt").write_text(PRIVATE_KEY)
    assert [secret.filename for secret in find_secrets(checkout)] == ["cookies.txt"]


def test_mistake_02_secrets_in_the_repository_are_none(checkout):
    """What configures and documents it; `make lint`, and so the CI, looks at every file."""
    listed = subprocess.run(
        ["git", "ls-files"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    dumps = r"\.(sql|dump|sqlite3?|pem|key|p12|log)$|(^|/)(\.env|cookies?)[^/]*$"
    assert [name for name in listed if re.search(dumps, name)] == []
    configuration = (
        r"^[^/]+$|^docs/(how-to|tutorial|runbooks)/|/settings/|^\.ci/|/seeds/|/commands/"
    )
    for name in filter(re.compile(configuration).search, listed):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_bytes((ROOT / name).read_bytes())

    assert (checkout / BASELINE).is_file()
    assert (checkout / "federated_imputation/settings/monolith.py").is_file()
    assert find_secrets(checkout) == []
    lint = re.search(r"^lint:.*?(?=^\S)", (ROOT / "Makefile").read_text(), re.DOTALL | re.MULTILINE)
    assert lint is not None
    assert "tests.secret_scan" in lint[0]


# 3: that backups are verified by restoring them is not tested, since there are no backups yet.


def test_mistake_03_open_databases_servers_listen_on_loopback_with_a_password(superuser):
    with psycopg.connect(superuser) as line:
        shown = line.execute("SHOW listen_addresses").fetchall()
        methods = line.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall()
    assert shown == [("127.0.0.1",)]
    assert methods == [("scram-sha-256",)]
    with redis.Redis.from_url(django_settings.REDIS_URL) as valkey:
        assert valkey.config_get("bind") == {"bind": "127.0.0.1"}
    with (
        redis.Redis.from_url(re.sub(r"//.*@", "//", django_settings.REDIS_URL)) as nobody,
        pytest.raises(redis.exceptions.AuthenticationError),
    ):
        nobody.ping()


def test_mistake_03_open_databases_compose_publishes_web_processes_on_loopback_alone():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    published = {name: each["ports"] for name, each in services.items() if each.get("ports")}
    assert set(published) == {deployment.name for deployment in DEPLOYMENTS}
    for ports in published.values():
        assert all(port.startswith("127.0.0.1:") for port in ports)
    assert ipaddress.ip_address(HOST).is_loopback
    platform = (ROOT / "federated_imputation" / "platform").glob("*.py")
    assert [
        path.name for path in platform if re.search(r"0\.0\.0\.0|\[?::\]?[\"']", path.read_text())
    ] == []


def test_mistake_03_open_databases_a_role_connects_to_its_own_alone(superuser, pair):
    one, other = pair
    connect(superuser, one, one.name).close()
    for name in (other.name, "postgres"):
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            connect(superuser, one, name)
    assert len({role(deployment) for deployment in DEPLOYMENTS}) == len(DEPLOYMENTS)


# 4


@pytest.mark.parametrize(
    "path",
    [
        "/internal/users/{id}/",
        "/internal/users/{id}/service-credentials/{service}",
        "/api/internal/users/{id}/",
        "/api/users/../internal/users/{id}/",
        "/api/users/%2e%2e/internal/users/{id}/",
        "/api/users/%252e%252e/internal/users/{id}/",
        "/api/users/..%2finternal%2fusers%2f{id}/",
        "/api//internal/users/{id}/",
        "/api/users//../internal/users/{id}/service-credentials/{service}",
        "/api/users/..;/internal/users/{id}/",
        "/api/users;x=y/../internal/users/{id}/",
        r"/api/users/..\internal\users\{id}/",
        "/api/users/..%5cinternal%5cusers%5c{id}/",
    ],
)
def test_mistake_04_internal_routes_are_reached_by_no_spelling(panel, admin_user, path):
    store_credential(
        service_id=panel.service_id,
        kind=ServiceCredential.Kind.API_TOKEN,
        secret=SECRET,
        user_id=admin_user.pk,
        now=NOW,
    )
    where = path.format(id=admin_user.pk, service=panel.service_id)
    for caller in (Client(), client_of(admin_user)):
        answer = caller.get(where)
        assert answer.status_code in {400, 404}, where
        assert SECRET not in answer.content.decode()
        assert admin_user.username not in answer.content.decode()


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda deployment: deployment.name)
def test_mistake_04_internal_routes_do_not_exist(deployment):
    routes = in_production(deployment)["routes"]
    assert "healthz" in routes
    assert [route for route in routes if "internal" in route] == []


# 5


@pytest.mark.parametrize("peer_address", [STRANGER, PROXY])
def test_mistake_05_identity_headers_give_nobody_anything(admin_user, ada, peer_address):
    for who in (str(admin_user.pk), admin_user.username, admin_user.email):
        headers = {
            **dict.fromkeys(("X-User-ID", "X-User-Email", "X-User", "X-Remote-User"), who),
            **dict.fromkeys(("Remote-User", "X-Forwarded-User", "X-Auth-Request-User"), who),
            "X-User-Roles": "admin",
        }
        known = {"headers": headers, "REMOTE_ADDR": peer_address}
        assert Client().get(CURRENT_USER, **known).status_code == 403
        assert client_of(ada).get("/api/users/", **known).status_code == 403
        shown = client_of(ada).get(CURRENT_USER, **known).json()["user"]
        assert (shown["id"], shown["profile"]["role"]) == (ada.pk, "researcher")


# 6


@pytest.mark.parametrize(
    "request_line",
    [
        "GET jobs/{job}/",
        "PUT jobs/{job}/",
        "PATCH jobs/{job}/",
        "DELETE jobs/{job}/",
        "POST jobs/{job}/cancel/",
        "POST jobs/{job}/retry/",
        "POST jobs/{job}/reveal_password/",
        "GET jobs/{job}/status_updates/",
        "GET jobs/{job}/files/",
        "GET jobs/{job}/files/{file}/download/",
        "GET status-updates/{update}/",
        "GET result-files/{file}/",
        "GET result-files/{file}/download/",
    ],
)
def test_mistake_06_missing_authorization_another_users_job_does_not_exist(job, eve, request_line):
    update = job.status_updates.create(status="completed", message="Done", timestamp=NOW)
    method, path = request_line.split()
    where = "/api/" + path.format(job=job.pk, file=job.files.get().pk, update=update.pk)
    before = ImputationJob.objects.values().get()

    assert client_of(eve).generic(method, where, '{"name": "x"}', JSON).status_code == 404
    assert Client().generic(method, where, '{"name": "x"}', JSON).status_code == 403
    assert ImputationJob.objects.values().get() == before
    if method == "GET":
        assert client_of(job.user).get(where).status_code == 200


@pytest.mark.parametrize("path", ["jobs", "status-updates", "result-files"])
def test_mistake_06_missing_authorization_lists_show_ones_own(job, eve, path):
    job.status_updates.create(status="completed", message="Done", timestamp=NOW)
    assert client_of(job.user).get(f"/api/{path}/").json()["count"] == 1
    assert client_of(eve).get(f"/api/{path}/?user_id={job.user_id}").json()["count"] == 0


@pytest.mark.parametrize("path", ["services/", "services/{service}/", "reference-panels/{panel}/"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_mistake_06_missing_authorization_the_registry_takes_no_write(panel, ada, path, method):
    where = "/api/" + path.format(service=panel.service_id, panel=panel.pk)
    before = registry()
    for caller in (Client(), client_of(ada)):
        assert caller.generic(method, where, '{"name": "mine"}', JSON).status_code in {403, 405}
    assert registry() == before


def registry():
    return [
        list(model.objects.order_by("id").values()) for model in (ImputationService, ReferencePanel)
    ]


# 7


def test_mistake_07_files_under_a_constant_user_belong_to_who_uploads_them(ada, eve, panel):
    answer = client_of(ada).post("/api/jobs/", form_of(panel, user=eve.pk, user_id=eve.pk))

    assert answer.status_code == 201, answer.content
    job = ImputationJob.objects.get()
    assert job.user_id == ada.pk
    assert (Path(django_settings.DATA_ROOT) / str(job.input_file)).is_file()
    assert client_of(eve).get("/api/jobs/").json()["count"] == 0


def test_mistake_07_files_under_a_constant_user_are_read_by_their_owner_alone(job, eve):
    where = f"/api/result-files/{job.files.get().pk}/download/"
    assert Client().get(where).status_code == 403
    assert Client().get(where, headers={"X-User-ID": str(job.user_id)}).status_code == 403
    assert client_of(eve).get(f"{where}?user_id={job.user_id}").status_code == 404
    assert client_of(job.user).head(where).status_code == 200


# 8


def test_mistake_08_plaintext_tokens_are_neither_kept_nor_repeated(ada, admin_user, panel):
    client = client_of(ada)
    answer = client.post("/api/jobs/", form_of(panel))
    assert answer.status_code == 201
    assert "job_token" in stored()
    assert SECRET not in stored()

    job = answer.json()["id"]
    said = [answer, client.get(f"/api/jobs/{job}/"), client.get(f"/api/jobs/{job}/status_updates/")]
    said += [
        client_of(admin_user).get(f"/api/{path}/") for path in ("jobs", "services", "audit-logs")
    ]
    assert [each.status_code for each in said] == [201] + [200] * 5
    assert SECRET not in "".join(each.content.decode() for each in said)


def test_mistake_08_plaintext_tokens_of_scripts_are_shown_once(ada):
    tokens = log_in()
    body = {"name": "Nightly", "scopes": ["jobs:read"]}
    made = post("/api/auth/api-tokens/", body, token=tokens["access_token"]).json()["token"]

    assert get("/api/jobs/", token=made).status_code == 200
    assert "Nightly" in stored()
    assert made not in stored()
    listed = get("/api/auth/api-tokens/", token=tokens["access_token"]).content.decode()
    assert "Nightly" in listed
    assert made not in listed


def stored():
    """Every row of every table, as PostgreSQL writes it."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        rows = []
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" t')  # noqa: S608
            rows += [row for (row,) in cursor.fetchall()]
    return "\n".join(rows)


# 9


@pytest.mark.parametrize(
    "field", ["role_id", "monthly_job_limit", "storage_limit_gb", "is_verified"]
)
def test_mistake_09_privilege_escalation_nobody_writes_the_own_rights(ada, field):
    admin = UserRole.objects.get_or_create(name="admin")[0]
    values = {"role_id": admin.pk, "monthly_job_limit": 999, "storage_limit_gb": 99}
    before = UserProfile.objects.values().get(user=ada)

    given = {field: values.get(field, True)}
    answer = client_of(ada).patch(f"/api/profiles/{ada.profile.pk}/", given, JSON)

    assert answer.status_code == 403
    assert UserProfile.objects.values().get(user=ada) == before


@pytest.mark.parametrize("method", ["put", "patch"])
def test_mistake_09_privilege_escalation_an_owner_rewrites_no_result(job, method):
    other = make_service("Other")
    before = ImputationJob.objects.values().get(), job.files.values().get()
    given = {
        "name": job.name,
        "service": other.pk,
        "status": "running",
        "progress_percentage": 1,
        "result_files": [{"filename": "mine.zip"}],
        "external_job_id": "another",
        "user": 1,
    }

    for each in (given, *({"name": job.name, field: given[field]} for field in given)):
        getattr(client_of(job.user), method)(f"/api/jobs/{job.pk}/", each, JSON)

    after = ImputationJob.objects.values().get(), job.files.values().get()
    assert [without_time(row) for row in after] == [without_time(row) for row in before]
    where = f"/api/result-files/{job.files.get().pk}/"
    for write in ("PUT", "PATCH", "DELETE"):
        assert client_of(job.user).generic(write, where, "{}", JSON).status_code in {403, 405}


def without_time(row):
    return {name: value for name, value in row.items() if name != "updated_at"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "services/bulk_create/"),
        ("patch", "services/bulk_update/"),
        ("delete", "services/bulk_delete/"),
    ],
)
def test_mistake_09_privilege_escalation_bulk_operations_need_more_than_a_login(
    ada, panel, method, path
):
    before = registry()
    service = panel.service_id
    given = {
        "services": [{"name": "Mine", "api_url": "https://mine.example"}],
        "updates": [{"id": service, "data": {"is_active": False}}],
        "service_ids": [service],
        "force_delete": True,
    }

    answer = getattr(client_of(ada), method)(f"/api/{path}", given, JSON)

    assert answer.status_code == 403
    assert registry() == before


# 10


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
)
def test_mistake_10_open_to_other_sites_no_foreign_page_acts(ada, headers):
    client = client_of(ada)
    given = {"current_password": PASSWORD, "new_password": "another long enough phrase"}
    answer = client.post("/api/auth/change-password/", given, JSON, headers=headers)
    assert answer.status_code == 403
    assert client.post("/api/auth/logout/", headers=headers).status_code == 403
    assert client.get(CURRENT_USER).status_code == 200
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)


def test_mistake_10_open_to_other_sites_no_foreign_page_reads(ada):
    client, origin = client_of(ada), {"Origin": "https://evil.example"}
    asked = {**origin, "Access-Control-Request-Method": "POST"}
    for answer in (
        client.get(CURRENT_USER, headers=origin),
        client.options(LOGIN, headers=asked),
        client.options("/api/jobs/", headers=asked),
    ):
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_mistake_10_open_to_other_sites_a_view_that_says_nothing_is_closed(admin_user):
    class Forgetful(APIView):
        def get(self, request):
            return Response("open")

    request = RequestFactory().get("/")
    request.user = admin_user
    assert Forgetful.as_view()(request).status_code == 403


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda deployment: deployment.name)
def test_mistake_10_open_to_other_sites_production_is_strict(deployment):
    settings = in_production(deployment)["settings"]
    assert settings["DEBUG"] is False
    for cookie in ("SESSION_COOKIE", "CSRF_COOKIE"):
        assert settings[f"{cookie}_SECURE"] is settings[f"{cookie}_HTTPONLY"] is True
        assert settings[f"{cookie}_SAMESITE"] == "Lax"


def test_mistake_10_open_to_other_sites_the_session_cookie_is_sent_so(ada, settings):
    settings.SESSION_COOKIE_SECURE = True
    cookie = Client().post(LOGIN, {"username": "ada", "password": PASSWORD}).cookies["sessionid"]
    assert cookie["secure"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


# 11


def test_mistake_11_long_lived_tokens_an_access_token_is_short_and_bound(ada):
    claims = jwt.decode(log_in()["access_token"], options={"verify_signature": False})
    assert 0 < claims["exp"] - claims["iat"] <= 15 * 60
    assert claims["iss"]
    assert claims["aud"]
    assert claims["jti"]
    assert not {"roles", "role", "email", "is_staff"} & claims.keys()


def test_mistake_11_long_lived_tokens_are_refreshed_and_ended(ada):
    first = log_in()
    second = refresh(first["refresh_token"]).json()
    assert opens(second["access_token"])
    assert post("/api/auth/token/revoke/", {"token": first["access_token"]}).status_code == 200
    assert not opens(first["access_token"])
    assert post("/api/auth/logout/", token=second["access_token"]).status_code == 200
    assert not opens(second["access_token"])
    assert refresh(second["refresh_token"]).status_code == 401


def test_mistake_11_disabled_users_are_out_at_the_next_request(ada):
    tokens, session = log_in(), client_of(ada)
    assert opens(tokens["access_token"])
    type(ada).objects.filter(pk=ada.pk).update(is_active=False)
    assert not opens(tokens["access_token"])
    assert refresh(tokens["refresh_token"]).status_code == 401
    assert session.get(CURRENT_USER).status_code == 403


def test_mistake_11_short_passwords_are_refused(ada):
    given = {"current_password": PASSWORD, "new_password": "x"}
    answer = client_of(ada).post("/api/auth/change-password/", given, JSON)
    assert answer.status_code == 400
    assert log_in(password=PASSWORD)


def test_mistake_11_frozen_roles_count_anew_with_each_request(ada):
    token = log_in()["access_token"]
    statuses = []
    for name in ("researcher", "admin", "researcher"):
        role_id = UserRole.objects.get_or_create(name=name)[0].pk
        UserProfile.objects.filter(user=ada).update(role_id=role_id)
        statuses.append(get("/api/users/", token=token).status_code)
    assert statuses == [403, 200, 403]


def test_mistake_11_expired_rights_give_nothing(job, eve):
    right = ServicePermission.objects.create(
        user=eve, service=job.service, permission="view_jobs", granted_at=NOW
    )
    statuses = []
    for year in (2999, 2020):
        right.expires_at = datetime(year, 1, 1, tzinfo=UTC)
        right.save()
        statuses.append(client_of(eve).get(f"/api/jobs/{job.pk}/").status_code)
    assert statuses == [200, 404]


@pytest.mark.usefixtures("_limited")
def test_mistake_11_unthrottled_logins_are_throttled_whatever_the_client_says_of_itself(ada):
    statuses = [
        Client().post(
            LOGIN,
            WRONG,
            REMOTE_ADDR=STRANGER,
            headers={"X-Forwarded-For": f"203.0.113.{number}", "X-Real-IP": f"1.1.1.{number}"},
        )
        for number in range(6)
    ]
    assert [answer.status_code for answer in statuses] == [401] * 5 + [429]


@pytest.mark.usefixtures("_limited")
@pytest.mark.django_db(transaction=True)
def test_mistake_11_unthrottled_logins_twenty_guesses_at_once_do_not_pass_the_window(ada):
    ready = threading.Barrier(20)

    def guess(client):
        ready.wait(timeout=20)
        try:
            return client.post(LOGIN, WRONG, REMOTE_ADDR=STRANGER).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(guess, [Client() for _ in range(20)]))
    assert set(statuses) == {401, 429}
    assert statuses.count(401) <= 10


# 12


def test_mistake_12_unverified_calls_tls_is_verified_before_anything_is_sent(tls_peer, authority):
    for url, trusted in (
        ("https://node.example/", None),
        ("https://other.example/", authority.file),
    ):
        with pytest.raises(NotConnected, match="certificate"):
            tls_client(tls_peer, trusted).call("GET", url, credentials={"X-Auth-Token": SECRET})
    assert tls_peer.requests == []
    tls_client(tls_peer, authority.file).call("GET", "https://node.example/")
    assert len(tls_peer.requests) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/latest/",
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://2130706433/",
        "https://[::ffff:127.0.0.1]/",
        "file:///etc/passwd",
    ],
)
def test_mistake_12_fetched_inner_addresses_are_refused(url):
    internet = Internet(1, [[PUBLIC]])
    client = GuardedClient(dial=internet.dial)
    with pytest.raises(Refused):
        client.call("GET", url, confidential=False)
    assert internet.dialled == []


def test_mistake_12_fetched_inner_addresses_are_refused_behind_a_name(peer):
    internet = Internet(peer.port, [["169.254.169.254"]])
    client = GuardedClient(resolve=internet.resolve, dial=internet.dial)
    with pytest.raises(Refused):
        client.call("GET", "http://metadata.example/", confidential=False)
    assert internet.dialled == []


def test_mistake_12_fetched_inner_addresses_are_refused_behind_a_redirect(peer):
    target = b"Location: http://169.254.169.254/latest/\r\nContent-Length: 0"
    peer.answer = OK.replace(b"200 OK", b"302 Found").split(b"Content")[0] + target + b"\r\n\r\n"
    internet = Internet(peer.port, [[PUBLIC]])
    client = GuardedClient(resolve=internet.resolve, dial=internet.dial)
    assert client.call("GET", "http://node.example/", confidential=False).status == 302
    assert internet.dialled == [PUBLIC]


def test_mistake_12_logged_tokens_are_in_no_line(outgoing, peer, caplog):
    credentials = {"Authorization": f"Bearer {SECRET}", "X-Auth-Token": SECRET}
    with caplog.at_level(logging.DEBUG):
        outgoing.call("GET", peer.url, credentials=credentials)
        peer.answer = b"HTTP/1.1 200 OK\r\nConte"
        try:
            outgoing.call("GET", peer.url, credentials=credentials)
        except Cut:
            logging.getLogger("tests").exception("Sent %s", credentials)
    assert SECRET.encode() in peer.requests[1]
    lines = [JsonFormatter().format(record) for record in caplog.records]
    assert any("Sent" in line and "Traceback" in line for line in lines)
    assert SECRET not in "".join(lines)
    ours = [record.getMessage() for record in caplog.records if record.name != "tests"]
    assert SECRET not in "".join(ours)


# 13


def test_mistake_13_published_passwords_the_administrators_is_random_and_private(tmp_path):
    passwords = []
    for name in ("one", "two"):
        path = tmp_path / name
        with transaction.atomic():
            call_command("seed", "legacy", "--admin-password-file", str(path), stdout=StringIO())
            transaction.set_rollback(True)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        passwords.append(path.read_text().strip())
    assert len(set(passwords)) == 2
    assert min(map(len, passwords)) >= 20


def test_mistake_13_published_passwords_are_in_no_command_and_no_seed():
    sources = [
        *(ROOT / "federated_imputation").rglob("management/commands/*.py"),
        *(ROOT / "federated_imputation").rglob("seeds/*.py"),
        *(ROOT / "federated_imputation").glob("platform/*.py"),
        *(ROOT / "apps").rglob("management/commands/*.py"),
    ]
    assert len(sources) > 20
    assert [place for path in sources for place in literal_passwords(path.read_text())] == []
    published = "user.set_password('admin123')\ncreate_superuser('a', password='x')\nPASSWORD = 'x'"
    assert literal_passwords(published) == [1, 2, 3]


def literal_passwords(source):
    """Lines that give a password as it is written there."""
    found = []
    for node in ast.walk(ast.parse(source)):
        values = []
        if isinstance(node, ast.keyword) and "password" in (node.arg or ""):
            values = [node.value]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "set_password":
            values = node.args
        elif isinstance(node, ast.Assign):
            names = " ".join(ast.unparse(target) for target in node.targets).lower()
            values = [node.value] if "password" in names else []
        if any(isinstance(value, ast.Constant) and value.value for value in values):
            found.append(values[0].lineno)
    return sorted(found)


# 14


def test_mistake_14_lost_audit_rows_a_request_without_a_user_agent_leaves_one(ada):
    Client().post(LOGIN, {"username": "ada", "password": PASSWORD})
    row = AuditLog.objects.get(action="login")
    assert (row.user_id, row.user_agent) == (ada.pk, "")


@pytest.mark.parametrize("username", ["ada", "nobody"])
def test_mistake_14_lost_audit_rows_a_failed_login_says_who_was_tried(ada, username):
    Client().post(LOGIN, {**WRONG, "username": username})
    row = AuditLog.objects.get(action="login_failed")
    assert row.details["username"] == username
    assert row.user_id == (ada.pk if username == "ada" else None)


@pytest.mark.parametrize(("peer_address", "kept"), [(PROXY, CLIENT), (STRANGER, STRANGER)])
def test_mistake_14_lost_audit_rows_hold_the_clients_address(ada, peer_address, kept):
    Client().post(
        LOGIN, WRONG, REMOTE_ADDR=peer_address, headers={"X-Forwarded-For": f"1.1.1.1, {CLIENT}"}
    )
    assert AuditLog.objects.get(action="login_failed").ip_address == kept
