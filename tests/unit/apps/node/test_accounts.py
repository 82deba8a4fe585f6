"""Logins, tokens and who may."""

from datetime import timedelta

import jwt
import pytest
from django.conf import settings
from django.test import Client
from django.test.client import MULTIPART_CONTENT
from django.utils import timezone

from apps.node.models import User
from apps.node.operations.accounts import LoginRefused, log_in
from apps.node.tokens import LONGEST_LIFE, TokenRejected, issue_api_token, read_token
from tests.unit.apps.node.conftest import PASSWORD

pytestmark = pytest.mark.django_db


def verify(token: str):
    return Client().post("/api/v2/tokens/verify", data={"token": token}).json()


def test_login_takes_a_form_or_json(amina):
    for content_type in (MULTIPART_CONTENT, "application/json"):
        form = {"username": "amina", "password": PASSWORD}
        answer = Client().post("/login", form, content_type=content_type)
        assert answer.json()["expires_in"] == 86_400
        session = {"X-Auth-Token": answer.json()["access_token"]}
        assert Client().get("/api/v2/jobs", headers=session).status_code == 200


@pytest.mark.parametrize("body", ["[]", '"x"', "{", '{"username": 1, "password": []}'])
def test_login_refuses_strange_bodies(amina, body):
    answer = Client().post("/login", body, content_type="application/json")
    assert answer.status_code in {400, 401}
    assert answer.json()["success"] is False


def test_five_wrong_passwords_lock_the_account_for_thirty_minutes(amina):
    now = timezone.now()
    for _ in range(5):
        with pytest.raises(LoginRefused, match="Wrong Username or Password"):
            log_in(username="amina", password="wrong", now=now)
    with pytest.raises(LoginRefused, match="locked for 30 minutes"):
        log_in(username="amina", password=PASSWORD, now=now + timedelta(minutes=29))
    log_in(username="amina", password=PASSWORD, now=now + timedelta(minutes=30))
    assert User.objects.get(username="amina").login_attempts == 0


def test_a_right_password_resets_the_count(amina):
    now = timezone.now()
    for password in ["wrong"] * 4 + [PASSWORD] + ["wrong"] * 4:
        try:
            log_in(username="amina", password=password, now=now)
        except LoginRefused:
            assert password == "wrong"
    log_in(username="amina", password=PASSWORD, now=now)


def test_an_unknown_user_is_refused_in_the_same_words(db):
    with pytest.raises(LoginRefused, match=r"Login Failed! Wrong Username or Password\."):
        log_in(username="nobody", password="x", now=timezone.now())


def test_a_new_api_token_makes_the_old_one_worthless(amina):
    path = "/api/v2/users/whoever/api-token"
    assert verify(amina.api_token)["valid"] is True
    fresh = amina.request("post", path, session=True).json()["token"]
    assert verify(amina.api_token) == {"valid": False, "message": "Invalid API Token."}
    assert verify(fresh)["username"] == "amina"
    assert amina.get("/api/v2/jobs").status_code == 401
    amina.request("delete", path, session=True)
    assert verify(fresh)["valid"] is False


def test_the_claims_can_be_read_without_the_server(amina):
    claims = jwt.decode(amina.api_token, options={"verify_signature": False})
    assert claims["token_type"] == "API_TOKEN"
    assert claims["api"] is True
    assert len(claims["api_hash"]) == 30
    assert (claims["sub"], claims["iss"], claims["mail"]) == (
        "amina",
        "cloudgene",
        "amina@example.org",
    )
    assert claims["exp"] - claims["iat"] == 30 * 86_400


@pytest.mark.parametrize(
    ("expiration", "life"), [("1", timedelta(days=1)), ("-1", LONGEST_LIFE), (None, None)]
)
def test_expiration_is_in_days_and_minus_1_is_for_long(amina, expiration, life):
    query = f"?expiration={expiration}" if expiration else ""
    answer = amina.request("post", f"/api/v2/users/amina/api-token{query}", session=True)
    claims = jwt.decode(answer.json()["token"], options={"verify_signature": False})
    expected = (life or timedelta(days=30)).total_seconds()
    assert claims["exp"] - claims["iat"] == pytest.approx(expected, abs=1)


@pytest.mark.parametrize("expiration", ["0", "-2", "x", "99999999999999999999"])
def test_an_impossible_expiration_is_refused(amina, expiration):
    path = f"/api/v2/users/amina/api-token?expiration={expiration}"
    assert amina.request("post", path, session=True).status_code == 400


def test_a_session_token_is_no_api_token(amina):
    assert verify(amina.session_token)["valid"] is False


@pytest.mark.parametrize(
    "forge",
    [
        lambda claims: jwt.encode(claims, "another key, long enough to sign with", "HS256"),
        lambda claims: jwt.encode(claims, "", "none"),
        lambda claims: jwt.encode({**claims, "iss": "other"}, settings.SECRET_KEY, "HS256"),
        lambda claims: jwt.encode({**claims, "token_type": "x"}, settings.SECRET_KEY, "HS256"),
        lambda claims: jwt.encode(
            {k: v for k, v in claims.items() if k != "exp"}, settings.SECRET_KEY, "HS256"
        ),
        lambda claims: jwt.encode({**claims, "exp": 1}, settings.SECRET_KEY, "HS256"),
        lambda claims: jwt.encode({**claims, "exp": 1e300}, settings.SECRET_KEY, "HS256"),
        lambda claims: jwt.encode({**claims, "sub": 1}, settings.SECRET_KEY, "HS256"),
        lambda claims: "",
        lambda claims: "a.b.c",
        lambda claims: "ä",
    ],
)
def test_forged_tokens_are_refused(amina, forge):
    claims = jwt.decode(amina.api_token, options={"verify_signature": False})
    assert verify(forge(claims))["valid"] is False


def test_a_token_of_a_user_that_was_switched_off_is_refused(amina):
    User.objects.update(active=False)
    assert amina.get("/api/v2/jobs").status_code == 401


def test_a_token_expires_at_its_second(amina):
    now = timezone.now().replace(microsecond=0)
    token = issue_api_token(amina.user, api_hash="x" * 30, now=now, life=timedelta(days=1))
    read_token(token, now=now + timedelta(days=1, seconds=-1))
    with pytest.raises(TokenRejected):
        read_token(token, now=now + timedelta(days=1))


def test_every_path_refuses_what_it_does_not_know(amina):
    for path in ("/api/v2/nothing", "/api/v2/jobs/", "/admin/"):
        answer = amina.get(path)
        assert (answer.status_code, answer.json()["success"]) == (404, False)
    assert amina.request("put", "/api/v2/jobs").status_code == 405
