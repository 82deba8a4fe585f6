"""How large a request may be before anybody looks at it, and where its body lies."""

import asyncio
import os
import shutil
import tempfile
import time

import pytest
from asgiref.sync import async_to_sync
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone

from apps.shared.asgi import keep_bodies_in
from federated_imputation.monolith.files.arrivals import lifespan, no_room, rule
from tests.factories import make_service, make_user
from tests.unit.monolith.accounts.login import log_in, post

# The rule has its own look at the connection, as a request has.
pytestmark = pytest.mark.django_db(transaction=True)
MEGABYTE = 1024 * 1024


def _scope(
    path: str, cookie: str = "", authorization: str = "", method: str = "POST"
) -> dict[str, object]:
    headers = [(b"cookie", cookie.encode())] if cookie else []
    if authorization:
        headers.append((b"authorization", authorization.encode()))
    return {"type": "http", "method": method, "path": path, "headers": headers}


@pytest.fixture
def session(client):
    """The key of a session that somebody logged in to."""
    client.force_login(make_user())
    return client.cookies["sessionid"].value


@pytest.fixture
def token():
    """An access token."""
    make_user()
    return log_in()["access_token"]


def _allowance(path: str, cookie: str = "", authorization: str = ""):
    return async_to_sync(rule)(_scope(path, cookie, authorization))


def test_an_upload_with_a_session_may_be_as_large_as_any_service_accepts(session):
    make_service("Small", max_file_size_mb=100)
    make_service("Large", max_file_size_mb=700)
    make_service("Retired", is_active=False, max_file_size_mb=5_000)
    allowance = _allowance("/api/jobs/", f"theme=dark; sessionid={session}")
    assert allowance.limit == 701 * MEGABYTE
    assert allowance.status == 413
    assert "701 MB" in allowance.answer["detail"]


def test_looking_at_jobs_costs_no_look_at_the_database(session, django_assert_num_queries):
    with django_assert_num_queries(0):
        allowance = async_to_sync(rule)(_scope("/api/jobs/", f"sessionid={session}", method="GET"))
    assert allowance.limit == MEGABYTE


def test_without_an_active_service_nothing_large_is_accepted(session):
    make_service("Retired", is_active=False, max_file_size_mb=5_000)
    assert _allowance("/api/jobs/", f"sessionid={session}").limit == MEGABYTE


def test_without_the_database_nobody_may_send_much(session):
    _rename("django_session", "away")
    try:
        allowance = _allowance("/api/jobs/", f"sessionid={session}")
    finally:
        _rename("away", "django_session")
    assert (allowance.limit, allowance.status) == (MEGABYTE, 503)


def test_an_upload_with_a_token_may_be_as_large(token):
    make_service(max_file_size_mb=700)
    scripts = post(
        "/api/auth/api-tokens/", {"name": "Nightly", "scopes": ["jobs:write"]}, token=token
    ).json()["token"]
    for shown in (token, scripts):
        assert _allowance("/api/jobs/", authorization=f"Bearer {shown}").limit == 701 * MEGABYTE
        assert _allowance("/api/auth/login/", authorization=f"Bearer {shown}").limit == MEGABYTE


def test_a_bad_token_must_be_small_even_beside_a_session(session):
    allowance = _allowance("/api/jobs/", f"sessionid={session}", "Bearer a.b.c")
    assert allowance.limit == MEGABYTE


def test_a_token_that_was_ended_is_none(token):
    post("/api/auth/logout/", token=token)
    assert _allowance("/api/jobs/", authorization=f"Bearer {token}").limit == MEGABYTE


@pytest.mark.parametrize(
    ("path", "cookie"),
    [
        ("/api/jobs/", ""),
        ("/api/jobs/", "theme=dark"),
        ("/api/jobs/", "sessionid"),
        ("/api/jobs/", "sessionid="),
        ("/api/jobs/", "sessionid=made0up0by0the0client000000000000"),
        ("/api/jobs/", r'sessionid="\000\000\000\000\000\000\000\000"'),
        ("/api/auth/login/", "sessionid={session}"),
        ("/api/jobs/../auth/login/", "sessionid={session}"),
    ],
)
def test_anything_else_must_be_small_and_is_told_the_limit(session, path, cookie):
    allowance = _allowance(path, cookie.replace("{session}", session))
    assert allowance.limit == MEGABYTE
    assert "1 MB" in allowance.answer["detail"]


def test_a_session_that_has_ended_is_none(session):
    Session.objects.update(expire_date=timezone.now())
    assert _allowance("/api/jobs/", f"sessionid={session}").limit == MEGABYTE


def test_an_upload_that_the_disk_cannot_take_is_refused_before_its_first_byte(session, settings):
    make_service(max_file_size_mb=10**9)
    scope = _scope("/api/jobs/", f"sessionid={session}")
    free = shutil.disk_usage(settings.DATA_ROOT).free
    assert isinstance(scope["headers"], list)
    scope["headers"].append((b"content-length", str(free).encode()))
    allowance = async_to_sync(rule)(scope)
    assert (allowance.limit, allowance.status) == (0, 507)
    assert allowance.answer == no_room.answer


def test_bodies_lie_beside_the_uploads_and_only_old_ones_are_forgotten(settings, tmp_path):
    settings.DATA_ROOT = str(tmp_path)
    folder = tmp_path / "uploads" / "arriving"
    folder.mkdir(parents=True)
    left, arriving = folder / "left", folder / "arriving"
    for path in (left, arriving):
        path.write_bytes(b"x")
    two_days_ago = time.time() - 48 * 3600
    os.utime(left, (two_days_ago, two_days_ago))
    before = tempfile.tempdir

    async def live() -> str | None:
        async with lifespan():
            return tempfile.tempdir

    try:
        assert asyncio.run(live()) == str(folder)
        assert [path.name for path in folder.iterdir()] == ["arriving"]
        keep_bodies_in(folder)
        assert list(folder.iterdir()) == []
    finally:
        tempfile.tempdir = before


def _rename(table: str, name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO {name}")
