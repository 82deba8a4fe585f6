"""Login by token: what it answers, what its tokens open, and what ends them."""

from dataclasses import replace

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.shared.api.origin import Origin
from apps.shared.identity.tokens import sign
from federated_imputation.monolith.accounts.models import AuditLog, SigningKey, TokenFamily
from federated_imputation.monolith.accounts.operations.keys import get_signing_pair
from federated_imputation.monolith.accounts.operations.tokens import end_login
from federated_imputation.monolith.accounts.queries.tokens import digest_of, read_token
from tests.factories import PASSWORD, make_user
from tests.unit.monolith.accounts.login import CURRENT_USER, get, log_in, opens, post, refresh

pytestmark = pytest.mark.django_db
ANONYMOUS = {"detail": "Authentication credentials were not provided."}


@pytest.fixture
def user():
    return make_user()


def test_login_adds_tokens_to_the_legacy_answer(user):
    answer = post("/api/auth/login/", {"username": "ada", "password": PASSWORD})
    body = answer.json()
    assert body["user"]["id"] == user.pk
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 900
    assert answer["Cache-Control"] == "no-store"
    assert "sessionid" in answer.cookies
    assert opens(body["access_token"])


def test_a_token_opens_what_a_session_opens_without_a_cookie(user):
    answer = get(CURRENT_USER, token=log_in()["access_token"])
    assert answer.json()["user"]["username"] == "ada"
    assert answer.cookies == {}


def test_no_credentials_at_all_stay_the_403_of_the_legacy_system():
    answer = Client().get(CURRENT_USER)
    assert answer.status_code == 403
    assert answer.json()["detail"] == ANONYMOUS["detail"]
    assert "WWW-Authenticate" not in answer


def test_another_scheme_is_no_token(user):
    answer = Client().get(CURRENT_USER, headers={"Authorization": "Basic YWRhOmFkYQ=="})
    assert answer.status_code == 403


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "bearer x", "Bearer a.b.c", "Bearer a b"])
def test_a_bad_token_is_refused_even_beside_a_good_cookie(user, header):
    client = Client()
    log_in(client)
    answer = client.get(CURRENT_USER, headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.json()["detail"] == "The token is not valid, or not any more."


def test_a_bad_token_is_refused_where_anybody_may_look():
    assert get("/api/services/", token="a.b.c").status_code == 401


def test_the_token_decides_beside_the_cookie_of_another_user(user):
    make_user("eve")
    client = Client()
    log_in(client, "eve")
    answer = get(CURRENT_USER, token=log_in()["access_token"], client=client)
    assert answer.json()["user"]["username"] == "ada"


def test_a_token_needs_no_origin_of_ours(user):
    token = log_in()["access_token"]
    answer = post("/api/auth/logout/", token=token, Origin="https://elsewhere.example.org")
    assert answer.status_code == 200


def test_refresh_gives_a_new_pair_and_the_old_access_token_lives_on(user):
    first = log_in()
    answer = refresh(first["refresh_token"])
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    second = answer.json()
    assert second.keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert second["refresh_token"] != first["refresh_token"]
    assert opens(first["access_token"])
    assert opens(second["access_token"])
    assert refresh(second["refresh_token"]).status_code == 200


def test_a_refresh_token_used_twice_ends_its_whole_login(user):
    first = log_in()
    second = refresh(first["refresh_token"]).json()
    other = log_in()
    answer = refresh(first["refresh_token"])
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_token"'
    assert not opens(first["access_token"])
    assert not opens(second["access_token"])
    for pair in (first, second):
        assert refresh(pair["refresh_token"]).status_code == 401
    assert opens(other["access_token"])
    row = AuditLog.objects.get(action="reuse_token")
    assert row.user_id == user.pk
    assert row.resource_id == str(TokenFamily.objects.get(revoked_because="reused").pk)


def forged(token, **claims):
    """The token with other claims: signed by us, as no login makes it."""
    return sign(replace(read_token(token), **claims), pair=get_signing_pair(now=timezone.now()))


@pytest.mark.parametrize("claims", [{}, {"token_id": 32 * "0"}], ids=["usable", "used"])
def test_a_refresh_token_for_the_login_of_another_neither_renews_nor_ends_it(user, claims):
    eve = make_user("eve")
    token = log_in()["refresh_token"]
    stolen = forged(token, user_id=eve.pk, digest=digest_of(eve), **claims)
    assert refresh(stolen).status_code == 401
    assert refresh(token).status_code == 200


def test_an_access_token_that_names_two_users_opens_nothing(user):
    token = log_in()["access_token"]
    assert opens(forged(token))
    assert not opens(forged(token, user_id=make_user("eve").pk))


def test_a_login_that_is_over_opens_nothing_whatever_its_tokens_say(user):
    tokens = log_in()
    TokenFamily.objects.update(expires_at=timezone.now())
    assert not opens(tokens["access_token"])
    assert refresh(tokens["refresh_token"]).status_code == 401


def test_nobody_ends_the_login_of_another(user):
    client = Client()
    token = log_in(client)["access_token"]
    end_login(
        user_id=make_user("eve").pk,
        family=read_token(token).family,
        everywhere=False,
        origin=Origin(address=None, user_agent=""),
        now=timezone.now(),
    )
    assert opens(token)
    assert client.get(CURRENT_USER).status_code == 200


def test_tokens_of_one_type_are_not_taken_for_the_other(user):
    tokens = log_in()
    assert not opens(tokens["refresh_token"])
    assert refresh(tokens["access_token"]).status_code == 401


def test_logout_with_a_cookie_ends_the_tokens_of_that_login_alone(user):
    client = Client()
    tokens, other = log_in(client), log_in()
    assert post("/api/auth/logout/", client=client).status_code == 200
    assert not opens(tokens["access_token"])
    assert refresh(tokens["refresh_token"]).status_code == 401
    assert opens(other["access_token"])


def test_logout_with_a_token_ends_the_session_of_that_login(user):
    client, other = Client(), Client()
    tokens = log_in(client)
    log_in(other)
    assert post("/api/auth/logout/", token=tokens["access_token"]).status_code == 200
    assert not opens(tokens["access_token"])
    assert client.get(CURRENT_USER).status_code == 403
    assert other.get(CURRENT_USER).status_code == 200


def test_logout_with_a_token_leaves_the_session_of_another_user(user):
    make_user("eve")
    client = Client()
    log_in(client, "eve")
    token = log_in()["access_token"]
    assert post("/api/auth/logout/", client=client, token=token).status_code == 200
    assert client.get(CURRENT_USER).json()["user"]["username"] == "eve"


def test_logout_everywhere_ends_all_sessions_and_tokens_of_this_user_alone(user):
    make_user("eve")
    here, there, eve = Client(), Client(), Client()
    tokens = [log_in(here), log_in(there), log_in()]
    stranger = log_in(eve, "eve")
    answer = post("/api/auth/logout/", {"everywhere": True}, client=here)
    assert answer.json() == {"message": "Logout successful"}
    assert not any(opens(pair["access_token"]) for pair in tokens)
    assert here.get(CURRENT_USER).status_code == there.get(CURRENT_USER).status_code == 403
    assert eve.get(CURRENT_USER).status_code == 200
    assert opens(stranger["access_token"])
    assert AuditLog.objects.get(action="logout").details == {"everywhere": True}


def test_a_login_that_has_ended_keeps_its_reason_when_all_end(user):
    first, other = log_in(), log_in()
    post("/api/auth/token/revoke/", {"token": first["refresh_token"]})
    post("/api/auth/logout/", {"everywhere": True}, token=other["access_token"])
    reasons = TokenFamily.objects.order_by("created_at").values_list("revoked_because", flat=True)
    assert list(reasons) == ["revoked", "logout"]


def test_a_second_login_in_the_same_session_ends_the_tokens_of_the_first(user):
    client = Client()
    first, second = log_in(client), log_in(client)
    assert not opens(first["access_token"])
    assert opens(second["access_token"])


def _set_password(user):
    user.set_password("another horse")
    user.save()


def _set_password_by_sql(user):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE auth_user SET password = 'x' WHERE id = %s", [user.pk])


def _deactivate_by_sql(user):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE auth_user SET is_active = false WHERE id = %s", [user.pk])


@pytest.mark.parametrize("change", [_set_password, _set_password_by_sql, _deactivate_by_sql])
def test_a_new_password_or_deactivation_by_any_way_ends_all_tokens(user, change):
    tokens = log_in()
    assert opens(tokens["access_token"])
    change(User.objects.get(pk=user.pk))
    assert not opens(tokens["access_token"])
    assert refresh(tokens["refresh_token"]).status_code == 401


def test_tokens_do_not_come_back_to_life_with_their_user(user):
    tokens = log_in()
    made = post(
        "/api/auth/api-tokens/",
        {"name": "Nightly", "scopes": ["account:read"]},
        token=tokens["access_token"],
    ).json()
    _deactivate_by_sql(user)
    User.objects.update(is_active=True)
    assert not opens(tokens["access_token"])
    assert refresh(tokens["refresh_token"]).status_code == 401
    assert not opens(made["token"])
    assert TokenFamily.objects.get().revoked_because == "deactivated"
    assert opens(log_in()["access_token"])


def test_a_revoked_access_token_ends_alone(user):
    tokens = log_in()
    answer = post("/api/auth/token/revoke/", {"token": tokens["access_token"]})
    assert answer.status_code == 200
    assert not opens(tokens["access_token"])
    assert opens(refresh(tokens["refresh_token"]).json()["access_token"])


def test_a_revoked_refresh_token_ends_its_whole_login(user):
    tokens = log_in()
    answer = post("/api/auth/token/revoke/", {"token": tokens["refresh_token"]})
    assert answer.status_code == 200
    assert not opens(tokens["access_token"])
    assert refresh(tokens["refresh_token"]).status_code == 401


def test_an_api_token_can_be_handed_in_by_whoever_found_it(user):
    made = post(
        "/api/auth/api-tokens/",
        {"name": "Nightly", "scopes": ["account:read"]},
        token=log_in()["access_token"],
    ).json()
    assert post("/api/auth/token/revoke/", {"token": made["token"]}).status_code == 200
    assert not opens(made["token"])
    row = AuditLog.objects.get(action="revoke_token")
    assert (row.resource_type, row.resource_id) == ("api_token", str(made["id"]))


def test_revoking_again_or_what_is_no_token_is_answered_alike_and_audited_once(user):
    tokens = log_in()
    access, last = tokens["access_token"], tokens["refresh_token"]
    answers = [
        post("/api/auth/token/revoke/", {"token": token})
        for token in (access, access, last, last, "nonsense", "a.b.c")
    ]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    rows = AuditLog.objects.filter(action="revoke_token").order_by("id")
    assert [row.resource_type for row in rows] == ["access_token", "refresh_token"]


def test_one_request_with_a_token_costs_one_query_for_the_token(user):
    token = log_in()["access_token"]
    with CaptureQueriesContext(connection) as seen:
        assert opens(token)
    keys = SigningKey._meta.db_table  # read once a second, whatever comes in
    # The token, and the user with the profile for the answer.
    assert len([query for query in seen if keys not in query["sql"]]) == 2
