"""What the node shares with every deployment: limits of logins, headers, request ids."""

import uuid

import pytest
from django.test import Client
from rest_framework.request import Request
from rest_framework.response import Response

from apps.node.michigan.access import Anyone
from apps.node.michigan.views import MichiganView
from tests.unit.apps.node.conftest import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def _limits_on(settings):
    settings.RATE_LIMITS = True
    settings.DEPLOYMENT = uuid.uuid4().hex  # no window of another test


def log_in(username, *, address="192.0.2.7", password="wrong"):  # noqa: S107
    form = {"username": username, "password": password}
    return Client().post("/login", form, REMOTE_ADDR=address)


@pytest.mark.usefixtures("_limits_on")
def test_guesses_from_one_address_are_limited():
    statuses = [log_in(f"user{number}").status_code for number in range(101)]
    assert statuses == [401] * 100 + [429]
    answer = log_in("one-more")
    assert set(answer.json()) == {"message", "success"}
    assert 1 <= int(answer.headers["Retry-After"]) <= 3600


@pytest.mark.usefixtures("_limits_on")
def test_a_program_may_log_in_as_often_as_it_likes(amina):
    statuses = [log_in("amina", password=PASSWORD).status_code for _ in range(20)]
    assert statuses == [200] * 20


@pytest.mark.parametrize("where", ["/", "/nowhere", "/api/v2/server", "/api/v2/jobs", "/?a=%00"])
def test_every_answer_has_a_request_id_and_the_headers(where):
    answer = Client().get(where, headers={"X-Request-ID": "asked-for-1"})
    assert answer.headers["X-Request-ID"] == "asked-for-1"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_nul_in_the_address_is_refused_in_the_words_of_the_node():
    answer = Client().get("/api/v2/jobs/%00")
    assert answer.status_code == 400
    assert answer.json() == {"message": "The request is malformed.", "success": False}


class _ForgetfulView(MichiganView):
    """Does something in the caller's name, and lets everybody in."""

    permission_classes = [Anyone]

    def get(self, request: Request) -> Response:
        return Response(self.user.username)


def test_a_view_that_forgets_to_need_a_token_does_nothing_in_the_name_of_nobody(rf, amina):
    view = _ForgetfulView.as_view()
    assert view(rf.get("/")).status_code == 403
    known = view(rf.get("/", headers={"X-Auth-Token": amina.api_token}))
    assert (known.status_code, known.data) == (200, "amina")
