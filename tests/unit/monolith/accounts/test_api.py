"""Login, logout and who am I, as clients see them."""

import pytest
from django.test import Client

from federated_imputation.monolith.accounts.models import AuditLog
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db
ANONYMOUS = "Authentication credentials were not provided."


@pytest.fixture
def user():
    return make_user(email="ada@example.org", first_name="Ada", last_name="Lovelace")


def log_in(client, username="ada", password=PASSWORD, **headers):
    return client.post(
        "/api/auth/login/",
        {"username": username, "password": password},
        content_type="application/json",
        headers=headers,
    )


def test_login_starts_a_session_and_tells_who_it_is(client, user):
    answer = log_in(client)
    assert answer.status_code == 200
    body = answer.json()
    assert body["user"] == {
        "id": user.pk,
        "username": "ada",
        "email": "ada@example.org",
        "first_name": "Ada",
        "last_name": "Lovelace",
    }
    assert body["message"] == "Login successful"
    assert answer.cookies["sessionid"]["httponly"]
    assert client.get("/api/auth/user/").status_code == 200


def test_login_takes_a_form_too(client, user):
    answer = client.post("/api/auth/login/", {"username": "ada", "password": PASSWORD})
    assert answer.status_code == 200


def test_login_is_audited_with_address_even_without_a_user_agent(client, user):
    client.post(
        "/api/auth/login/",
        {"username": "ada", "password": PASSWORD},
        REMOTE_ADDR="2001:db8::7",
        headers={"X-Forwarded-For": "10.9.8.7"},
    )
    row = AuditLog.objects.get()
    assert (row.action, row.user_id, row.ip_address) == ("login", user.pk, "2001:db8::7")
    assert row.user_agent == ""


@pytest.mark.parametrize(
    "body", [{}, {"username": "ada"}, {"password": "x"}, {"username": "", "password": ""}, []]
)
def test_login_is_refused_when_something_is_missing(client, user, body):
    answer = client.post("/api/auth/login/", body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["error"] == "Username and password are required"


@pytest.mark.parametrize(
    ("username", "password"), [("ada", "wrong"), ("nobody", PASSWORD), ("disabled", PASSWORD)]
)
def test_login_is_refused_with_the_same_words_whatever_is_wrong(client, user, username, password):
    make_user("disabled", is_active=False)
    answer = log_in(client, username, password)
    assert answer.status_code == 401
    assert answer.json()["error"] == "Invalid credentials"
    assert "sessionid" not in answer.cookies


def test_failed_login_is_audited_with_the_user_it_was_for(client, user):
    log_in(client, password="wrong")
    log_in(client, "nobody")
    rows = AuditLog.objects.order_by("id").values_list("action", "user_id", "details")
    assert list(rows) == [
        ("login_failed", user.pk, {"username": "ada"}),
        ("login_failed", None, {"username": "nobody"}),
    ]


def test_login_is_refused_when_a_page_of_another_site_asks(client, user):
    answer = log_in(client, **{"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["/api/auth/user/", "/api/auth/check/"])
def test_current_user_has_a_profile_with_the_role(client, path):
    user = make_user(role="researcher")
    client.force_login(user)
    body = client.get(path).json()
    assert body["authenticated"] is True
    assert body["user"] == {
        "id": user.pk,
        "username": "ada",
        "email": "",
        "first_name": "",
        "last_name": "",
        "is_staff": False,
        "is_superuser": False,
        "date_joined": body["user"]["date_joined"],
        "last_login": body["user"]["last_login"],
        "profile": {
            "role": "researcher",
            "organization": "",
            "department": "",
            "position": "",
            "research_area": "",
            "institution": "",
            "country": "Mali",
        },
    }


def test_current_user_has_no_profile_when_none_was_made(client, user):
    client.force_login(user)
    assert client.get("/api/auth/user/").json()["user"]["profile"] is None


def test_current_user_has_no_role_when_the_profile_has_none(client, user):
    user = make_user("grace", role="viewer")
    user.profile.role.delete()
    client.force_login(user)
    assert client.get("/api/auth/user/").json()["user"]["profile"]["role"] is None


def test_session_id_is_stable_and_is_not_the_cookie(client, user):
    client.force_login(user)
    first, second = (client.get("/api/auth/check/").json()["session_id"] for _ in range(2))
    assert first == second != ""
    assert first != client.cookies["sessionid"].value


@pytest.mark.parametrize("path", ["/api/auth/user/", "/api/auth/check/"])
def test_current_user_is_refused_to_an_anonymous_caller(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.json()["detail"]) == (403, ANONYMOUS)


def test_logout_ends_the_session_and_is_audited(client, user):
    client.force_login(user)
    answer = client.post("/api/auth/logout/")
    assert (answer.status_code, answer.json()) == (200, {"message": "Logout successful"})
    assert client.get("/api/auth/user/").status_code == 403
    assert AuditLog.objects.get().action == "logout"


def test_logout_is_refused_to_an_anonymous_caller(client):
    answer = client.post("/api/auth/logout/")
    assert (answer.status_code, answer.json()["detail"]) == (403, ANONYMOUS)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://testserver"},  # another scheme is another origin
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://other.testserver"},
    ],
)
def test_unsafe_request_is_refused_when_another_site_made_it(client, user, headers):
    client.force_login(user)
    assert client.post("/api/auth/logout/", headers=headers).status_code == 403
    assert client.get("/api/auth/user/", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://testserver"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://trusted.example", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_unsafe_request_needs_no_token_when_our_own_page_made_it(settings, user, headers):
    settings.CSRF_TRUSTED_ORIGINS = ["https://trusted.example"]
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    assert client.post("/api/auth/logout/", headers=headers).status_code == 200


def test_disabled_user_loses_the_session_at_once(client, user):
    client.force_login(user)
    user.is_active = False
    user.save()
    assert client.get("/api/auth/user/").status_code == 403
