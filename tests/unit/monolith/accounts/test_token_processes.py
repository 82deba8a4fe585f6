"""What one process ends is dead in every other: here a second server on the same database."""

import json
import os
import subprocess
import sys
import time
from threading import Event

import pytest
import requests
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection

from federated_imputation.monolith.accounts.models import SigningKey
from tests.factories import make_user
from tests.servers import free_port
from tests.unit.monolith.accounts.login import log_in, post

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]
START_SECONDS = 60


@pytest.fixture
def environment():
    """The variables of a process on the database of the tests."""
    of = connection.settings_dict
    url = f"postgres://{of['USER']}:{of['PASSWORD']}@{of['HOST']}:{of['PORT']}/{of['NAME']}"
    return {**os.environ, "DEPLOYMENT": "monolith", "MONOLITH_DATABASE_URL": url}


@pytest.fixture
def second(environment, settings):
    """The address of a second server."""
    port = free_port()
    serve = ["-m", "uvicorn", "federated_imputation.asgi:application"]
    where = ["--host=127.0.0.1", f"--port={port}", "--log-level=warning"]
    server = subprocess.Popen(
        [sys.executable, *serve, *where], env=environment, cwd=settings.BASE_DIR
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until(lambda: _is_up(address), seconds=START_SECONDS)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=30)


def _is_up(address):
    try:
        return requests.get(f"{address}/health/", timeout=5).ok
    except requests.ConnectionError:
        return False


def _wait_until(condition, *, seconds):
    """Seconds until the condition held; fails when that is more than `seconds`."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds
        Event().wait(0.02)
    return time.monotonic() - started


def _opens(address, token):
    answer = requests.get(
        f"{address}/api/auth/user/", headers={"Authorization": f"Bearer {token}"}, timeout=10
    )
    assert answer.status_code in (200, 401)
    return answer.status_code == 200


def test_logins_end_and_keys_change_in_a_second_process_within_a_second(second):
    user = make_user()

    def ends_there(end):
        token = log_in()["access_token"]
        assert _opens(second, token)
        end(token)
        return not _opens(second, token)

    assert ends_there(lambda token: post("/api/auth/logout/", token=token))
    assert ends_there(lambda token: post("/api/auth/token/revoke/", {"token": token}))
    assert ends_there(lambda token: User.objects.filter(pk=user.pk).update(is_active=False))
    User.objects.update(is_active=True)

    before = log_in()["access_token"]
    assert _opens(second, before)
    call_command("keys", "rotate")
    assert _opens(second, log_in()["access_token"]), "a token of the new key, at once"
    assert _opens(second, before)
    call_command("keys", "revoke", _kid_of("previous"))
    assert _wait_until(lambda: not _opens(second, before), seconds=5) < 1.5


def test_processes_that_start_together_make_one_pair_of_keys(environment, settings):
    listing = [sys.executable, "manage.py", "keys", "list", "--json"]
    processes = [
        subprocess.Popen(
            listing, env=environment, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    answers = [json.loads(process.communicate(timeout=START_SECONDS)[0]) for process in processes]
    assert answers[0] == answers[1] == answers[2]
    assert [key["state"] for key in answers[0]["keys"]] == ["next", "current"]


def _kid_of(state):
    return SigningKey.objects.get(state=state).kid
