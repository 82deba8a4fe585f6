"""Two requests at the same moment.

Each race is held open by a lock that the test has: it lets go when both requests wait for it, so
that they meet at the one statement that decides.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connection, connections, transaction
from django.test import Client
from django.utils import timezone

from federated_imputation.monolith.accounts.models import ApiToken, SigningKey, TokenFamily
from federated_imputation.monolith.accounts.operations.keys import rotate_keys
from tests.factories import PASSWORD, make_user
from tests.locks import waiting_for_a_lock
from tests.unit.monolith.accounts.login import log_in, opens, post, refresh

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE_SECONDS = 20


@pytest.fixture
def user():
    return make_user()


@contextmanager
def meeting():
    """Start the calls that are given to it; they all wait when the block is left.

    To be entered with the lock already taken. Afterwards `.answers` holds what they returned.
    """
    meeting = _Meeting()
    with ThreadPoolExecutor(8) as pool:
        with transaction.atomic():
            meeting.pool = pool
            yield meeting
            meeting.wait_until_all_wait()
        meeting.answers = [call.result(timeout=PATIENCE_SECONDS) for call in meeting.calls]


class _Meeting:
    pool: ThreadPoolExecutor

    def __init__(self):
        self.calls = []
        self.answers = []

    def start(self, call, *arguments, **named):
        def run():
            try:
                return call(*arguments, **named)
            finally:
                connections.close_all()

        self.calls.append(self.pool.submit(run))

    def wait_until_all_wait(self):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while waiting_for_a_lock() < len(self.calls):
            done = [call.result() for call in self.calls if call.done()]
            assert not done, f"it did not wait: {done}"
            assert time.monotonic() < deadline


def statuses(answers):
    return sorted(answer.status_code for answer in answers)


def test_of_two_refreshes_one_wins_and_the_login_is_dead(user):
    first = log_in()
    with meeting() as requests:
        TokenFamily.objects.select_for_update().get()
        requests.start(refresh, first["refresh_token"])
        requests.start(refresh, first["refresh_token"])
    assert statuses(requests.answers) == [200, 401]
    won = next(answer.json() for answer in requests.answers if answer.status_code == 200)
    assert not opens(won["access_token"])
    assert refresh(won["refresh_token"]).status_code == 401
    assert TokenFamily.objects.get().revoked_because == "reused"


@pytest.mark.parametrize("first", ["refresh", "logout"])
def test_a_refresh_and_a_logout_end_in_a_dead_login_whoever_is_first(user, first):
    client = Client()
    tokens = log_in(client)
    calls = {
        "refresh": lambda: refresh(tokens["refresh_token"]),
        "logout": lambda: post("/api/auth/logout/", client=client),
    }
    with meeting() as requests:
        TokenFamily.objects.select_for_update().get()
        requests.start(calls.pop(first))
        requests.wait_until_all_wait()
        requests.start(calls.popitem()[1])
    expected = [200, 200] if first == "refresh" else [200, 401]
    assert statuses(requests.answers) == expected
    for answer in requests.answers:
        if "access_token" in answer.json():
            assert not opens(answer.json()["access_token"])
    assert TokenFamily.objects.get().revoked_because == "logout"


def test_logins_that_all_need_the_first_key_make_one_pair(user):
    with meeting() as requests:
        _let_nobody_write_keys()
        for _ in range(4):
            requests.start(log_in)
    assert sorted(SigningKey.objects.values_list("state", flat=True)) == ["current", "next"]
    assert all(opens(body["access_token"]) for body in requests.answers)


def test_two_rotations_at_once_are_one_after_the_other(user):
    token = log_in()["access_token"]
    with meeting() as requests:
        _let_nobody_write_keys()
        requests.start(rotate_keys, now=timezone.now())
        requests.start(rotate_keys, now=timezone.now())
    states = sorted(SigningKey.objects.values_list("state", flat=True))
    assert states == ["current", "next", "previous", "previous"]
    assert opens(token)


def test_a_login_does_not_wait_for_a_rotation_and_its_tokens_outlive_it(user):
    log_in()
    with meeting() as requests:
        _let_nobody_write_keys()
        requests.start(rotate_keys, now=timezone.now())
        requests.wait_until_all_wait()
        with ThreadPoolExecutor(1) as pool:
            token = pool.submit(_log_in_elsewhere).result(timeout=PATIENCE_SECONDS)
    assert opens(token)


def test_of_two_password_changes_one_wins(user):
    tokens = log_in()
    before = {"current_password": PASSWORD}
    with meeting() as requests:
        type(user).objects.select_for_update().get()
        for number in range(2):
            requests.start(
                post,
                "/api/auth/change-password/",
                {**before, "new_password": f"the {number} battery of the horse"},
                token=tokens["access_token"],
            )
    assert statuses(requests.answers) == [200, 400]
    won = next(answer.json() for answer in requests.answers if answer.status_code == 200)
    assert opens(won["access_token"])


def test_two_api_tokens_at_once_do_not_pass_the_limit(user):
    token = log_in()["access_token"]
    body = {"name": "Nightly", "scopes": ["jobs:read"]}
    assert post("/api/auth/api-tokens/", body, token=token).status_code == 201
    row = ApiToken.objects.get()
    for number in range(48):
        row.pk, row.sha256 = None, f"{number:064}"
        row.save()
    with meeting() as requests:
        type(user).objects.select_for_update().get()
        requests.start(post, "/api/auth/api-tokens/", body, token=token)
        requests.start(post, "/api/auth/api-tokens/", body, token=token)
    assert statuses(requests.answers) == [201, 409]


def test_an_api_token_made_while_the_password_changes_is_dead(user):
    token = log_in()["access_token"]
    body = {"name": "Nightly", "scopes": ["account:read"]}
    with meeting() as requests:
        locked = type(user).objects.select_for_update().get()
        requests.start(post, "/api/auth/api-tokens/", body, token=token)
        requests.wait_until_all_wait()
        locked.set_password("the other horse")
        locked.save()
    (answer,) = requests.answers
    assert answer.status_code == 201
    assert not opens(answer.json()["token"])


def _let_nobody_write_keys():
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE imputation_signingkey IN SHARE MODE")


def _log_in_elsewhere():
    try:
        return log_in()["access_token"]
    finally:
        connections.close_all()
