"""Changing one's own password: what it asks for, and all that ends with it."""

import pytest
from django.test import Client

from federated_imputation.monolith.accounts.models import AuditLog, TokenFamily
from tests.factories import PASSWORD, make_user
from tests.unit.monolith.accounts.login import CURRENT_USER, log_in, opens, post, refresh

pytestmark = pytest.mark.django_db
PATH = "/api/auth/change-password/"
NEW = "a longer staple for the battery"
CHANGE = {"current_password": PASSWORD, "new_password": NEW}


@pytest.fixture
def user():
    return make_user()


def test_a_session_goes_on_with_new_tokens_and_all_else_is_dead(user):
    client, other = Client(), Client()
    before, elsewhere = log_in(client), log_in(other)
    answer = post(PATH, CHANGE, client=client)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    after = answer.json()
    assert after["message"] == "Password changed"
    assert client.get(CURRENT_USER).status_code == 200
    assert opens(after["access_token"])
    assert other.get(CURRENT_USER).status_code == 403
    for pair in (before, elsewhere):
        assert not opens(pair["access_token"])
        assert refresh(pair["refresh_token"]).status_code == 401
    assert log_in(password=NEW)


def test_logout_of_that_session_ends_the_new_tokens_too(user):
    client = Client()
    log_in(client)
    after = post(PATH, CHANGE, client=client).json()
    assert post("/api/auth/logout/", client=client).status_code == 200
    assert not opens(after["access_token"])


def test_a_token_changes_it_without_a_session(user):
    client = Client()
    before = log_in(client)
    answer = post(PATH, CHANGE, token=before["access_token"])
    assert answer.status_code == 200
    assert answer.cookies == {}
    assert opens(answer.json()["access_token"])
    assert not opens(before["access_token"])
    assert client.get(CURRENT_USER).status_code == 403


def test_a_wrong_current_password_changes_nothing_and_is_audited(user):
    tokens = log_in()
    answer = post(PATH, {**CHANGE, "current_password": "wrong"}, token=tokens["access_token"])
    assert answer.status_code == 400
    assert answer.json()["current_password"] == ["This is not your current password."]
    assert opens(tokens["access_token"])
    assert AuditLog.objects.filter(action="refuse_password", user_id=user.pk).count() == 1


def test_a_weak_new_password_changes_nothing(user):
    tokens = log_in()
    answer = post(PATH, {**CHANGE, "new_password": "x"}, token=tokens["access_token"])
    assert answer.status_code == 400
    assert answer.json()["new_password"]
    assert opens(tokens["access_token"])


@pytest.mark.parametrize("field", ["current_password", "new_password"])
def test_a_missing_password_is_named(user, field):
    body = {name: value for name, value in CHANGE.items() if name != field}
    answer = post(PATH, body, token=log_in()["access_token"])
    assert answer.status_code == 400
    assert field in answer.json()


def test_nobody_in_particular_changes_no_password():
    assert post(PATH, CHANGE).status_code == 403


def test_the_change_is_audited_and_the_ends_have_their_reason(user):
    tokens = log_in()
    post(PATH, CHANGE, token=tokens["access_token"])
    row = AuditLog.objects.get(action="change_password")
    assert (row.user_id, row.details) == (user.pk, {})
    assert list(TokenFamily.objects.order_by("revoked_because").values_list("revoked_because")) == [
        ("",),
        ("password",),
    ]
