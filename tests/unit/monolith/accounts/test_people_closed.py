"""Roles, users and profiles are closed to strangers and to the API tokens of scripts."""

import pytest
from django.utils import timezone

from apps.shared.api.origin import Origin
from apps.shared.identity.permissions import SCOPES
from federated_imputation.monolith.accounts.operations.api_tokens import create_api_token
from tests.factories import make_user
from tests.unit.monolith.accounts.people import JSON

pytestmark = pytest.mark.django_db
ENDPOINTS = [
    f"{method} {path}"
    for path, methods in {
        "roles/": ["GET", "POST"],
        "roles/{role}/": ["GET", "PUT", "PATCH", "DELETE"],
        "users/": ["GET", "POST"],
        "users/{user}/": ["GET", "PUT", "PATCH"],
        "users/{user}/reset_password/": ["POST"],
        "users/{user}/toggle_active/": ["POST"],
        "profiles/": ["GET", "POST"],
        "profiles/{profile}/": ["GET", "PUT", "PATCH", "DELETE"],
        "profiles/{profile}/reset_quota/": ["POST"],
        "profiles/{profile}/verify_user/": ["POST"],
    }.items()
    for method in methods
]


@pytest.fixture(params=ENDPOINTS)
def ask(request, client, ada):
    method, path = request.param.split()
    ids = {"role": ada.profile.role_id, "user": ada.pk, "profile": ada.profile.pk}

    def asked(**headers):
        return client.generic(method, f"/api/{path.format(**ids)}", "{}", JSON, headers=headers)

    return asked


def test_stranger_is_asked_who_it_is(ask):
    answer = ask()
    assert answer.status_code == 403
    assert answer.json()["detail"] == "Authentication credentials were not provided."


def test_api_token_of_an_administrator_is_refused(ask, client):
    boss = make_user("boss", role="admin", is_superuser=True)
    token = create_api_token(
        user=boss,
        name="script",
        scopes=SCOPES,
        expires_in_days=1,
        origin=Origin(address=None, user_agent=""),
        now=timezone.now(),
    ).token
    bearer = {"Authorization": f"Bearer {token}"}
    assert client.get("/api/auth/user/", headers=bearer).status_code == 200
    assert ask(**bearer).status_code == 403
