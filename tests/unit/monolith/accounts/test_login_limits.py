"""Guessing passwords: at the API and at Django's admin, one after the other and all at once."""

import logging
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.shared.limits import windows
from federated_imputation.monolith.accounts.models import AuditLog
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db
LOGIN = "/api/auth/login/"
ADMIN = "/admin/login/"
HOME, AWAY = "192.0.2.7", "203.0.113.9"


@pytest.fixture(autouse=True)
def _limits_on(settings):
    settings.RATE_LIMITS = settings.AXES_ENABLED = True
    settings.PASSWORD_REFUSAL_SECONDS = 0
    settings.DEPLOYMENT = uuid.uuid4().hex  # no window of another test


@pytest.fixture
def user():
    return make_user("ada", is_staff=True)


def log_in(password, *, username="ada", address=HOME, where=LOGIN, client=None):
    client = client or Client()
    return client.post(where, {"username": username, "password": password}, REMOTE_ADDR=address)


def assert_locked(answer):
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 900
    assert answer.json()["error"] == "Rate limit exceeded"


@pytest.mark.parametrize("username", ["ada", "nobody", "x" * 5_000])
def test_the_sixth_guess_from_an_address_is_not_looked_at(user, username):
    statuses = [log_in("wrong", username=username).status_code for _ in range(5)]
    assert statuses == [401] * 5
    answer = log_in(PASSWORD, username=username)
    assert_locked(answer)
    body = answer.json()
    assert (body["code"], body["details"]) == ("throttled", {})
    assert body["request_id"] == answer.headers["X-Request-ID"]


def test_a_lock_at_the_api_holds_at_the_admin_too(user):
    for _ in range(5):
        log_in("wrong", where=ADMIN)
    assert_locked(log_in(PASSWORD, where=ADMIN))
    assert_locked(log_in(PASSWORD))


def test_the_owner_gets_in_from_elsewhere(user):
    for _ in range(6):
        log_in("wrong", address=AWAY)
    assert log_in(PASSWORD).status_code == 200


def test_a_stolen_session_cannot_guess_the_password(client, user):
    client.force_login(user)
    change = {"current_password": "wrong", "new_password": "another long enough phrase"}
    answers = [
        client.post("/api/auth/change-password/", change, REMOTE_ADDR=AWAY) for _ in range(6)
    ]
    assert [answer.status_code for answer in answers] == [400] * 5 + [429]
    assert_locked(answers[-1])


def test_success_forgets_the_failures(user):
    for _ in range(4):
        log_in("wrong")
    assert log_in(PASSWORD).status_code == 200
    assert [log_in("wrong").status_code for _ in range(4)] == [401] * 4


def test_a_lock_ends_by_itself_and_is_not_made_longer(user):
    for _ in range(5):
        log_in("wrong")
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=10))
    locked = log_in("wrong")
    assert_locked(locked)
    assert int(locked.headers["Retry-After"]) <= 300
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=15, seconds=1))
    assert log_in(PASSWORD).status_code == 200


def test_an_administrator_unlocks_by_a_command(user):
    for _ in range(5):
        log_in("wrong")
    call_command("axes_reset_username", "ada")
    assert log_in(PASSWORD).status_code == 200


def test_nothing_but_name_and_address_is_kept_of_a_guess(user, caplog):
    with caplog.at_level(logging.DEBUG):
        for where in (LOGIN, ADMIN):
            Client().post(
                f"{where}?hint=my-secret-1",
                {"username": "ada", "password": "my-secret-2", "comment": "my-secret-3"},
                headers={"User-Agent": "my-secret-4"},
            )
    kept = [list(row.values()) for row in AccessAttempt.objects.values()]
    assert AccessAttempt.objects.get().failures_since_start == 2
    assert "my-secret" not in str(kept)
    assert "my-secret" not in "".join(
        record.getMessage() for record in caplog.records if record.name.startswith("axes")
    )


def test_ipv6_addresses_of_one_network_are_one_address(user):
    for number in range(5):
        log_in("wrong", address=f"2001:db8::{number}")
    assert_locked(log_in(PASSWORD, address="2001:db8::ffff"))


def test_a_name_that_was_locked_says_nothing_about_who_exists(user):
    known, unknown = (
        [log_in("wrong", username=username, address=address).json()["error"] for _ in range(7)]
        for username, address in (("ada", HOME), ("nobody", AWAY))
    )
    assert known == unknown


def test_many_addresses_cannot_guess_at_one_account(user):
    statuses = [log_in("wrong", address=f"198.51.100.{n}").status_code for n in range(15)]
    assert statuses == [401] * 10 + [429] * 5


def test_strangers_do_not_keep_out_an_owner_at_a_known_address(user):
    assert log_in(PASSWORD).status_code == 200
    for number in range(15):
        log_in("wrong", address=f"198.51.100.{number}")
    assert_locked(log_in(PASSWORD, address=AWAY))
    assert log_in(PASSWORD).status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("far", [False, True])
def test_a_burst_of_guesses_cannot_pass_together(user, far):
    threads = 20
    ready = threading.Barrier(threads)

    def guess(number):
        address = f"198.51.100.{number}" if far else AWAY
        client = Client()
        ready.wait(timeout=20)
        try:
            return log_in("wrong", address=address, client=client).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        statuses = list(pool.map(guess, range(threads)))
    assert set(statuses) == {401, 429}
    assert statuses.count(401) <= 10
    assert AuditLog.objects.filter(action="login_failed").count() == statuses.count(401)


def test_with_redis_away_the_lock_still_holds(user, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    windows._limiter.cache_clear()
    assert [log_in("wrong").status_code for _ in range(5)] == [401] * 5
    assert_locked(log_in(PASSWORD))


def test_requests_are_limited_by_client_and_path(client, user):
    statuses = [client.get("/api/auth/user/").status_code for _ in range(101)]
    assert statuses == [403] * 100 + [429]
    answer = client.get("/api/auth/user/")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.json()["code"] == "throttled"
    assert client.get("/api/auth/check/").status_code == 403
    assert client.get("/api/auth/user/", REMOTE_ADDR=AWAY).status_code == 403
    assert client.get("/healthz").status_code == 200
