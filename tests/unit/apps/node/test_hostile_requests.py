"""What a client should never send is answered as its mistake, not as the server's."""

import pytest
from django.test import Client

from apps.node.models import Job
from tests.unit.apps.node.conftest import PASSWORD

pytestmark = pytest.mark.django_db
PATHS = [
    "/api/v2/jobs/{}",
    "/api/v2/jobs/{}/status",
    "/api/v2/jobs/{}/cancel",
    "/api/v2/jobs/{}/restart",
    "/api/v2/server/apps/{}",
    "/share/results/{}/a.txt",
    "/share/results/abc/{}",
    "/downloads/{}/abc/a.txt",
    "/browse/{}/a.txt",
    "/browse/abc/{}",
    "/get/{}",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("part", ["x" * 3_000, "%ed%a0%80", "..%5c"])
def test_a_part_of_a_path_that_names_nothing_is_not_found(amina, path, part):
    answer = amina.get(path.format(part))
    assert answer.status_code == 404
    assert answer.json()["success"] is False


@pytest.mark.parametrize("field", ["username", "password", "token"])
@pytest.mark.parametrize("character", [r"\u0000", r"\ud800"])
@pytest.mark.parametrize("path", ["/login", "/api/v2/tokens/verify"])
def test_text_that_cannot_be_stored_opens_nothing(amina, path, field, character):
    known = {"username": "amina", "password": PASSWORD, "token": amina.api_token}
    body = ", ".join(
        f'"{name}": "{value}{character if name == field else ""}"' for name, value in known.items()
    )
    answer = Client().post(path, f"{{{body}}}", content_type="application/json")
    assert answer.status_code in {200, 401}
    is_needed = field in ({"username", "password"} if path == "/login" else {"token"})
    assert is_needed != ("access_token" in answer.json() or answer.json().get("valid", False))


@pytest.mark.parametrize("path", ["/login", "/api/v2/tokens/verify"])
@pytest.mark.parametrize("body", ["[" * 100_000, '{"token":' * 100_000])
def test_json_nested_deeper_than_python_goes_is_refused(path, body):
    answer = Client().post(path, body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json() == {"message": "The body cannot be read.", "success": False}


@pytest.mark.parametrize(
    "field", ["job-name", "refpanel", "build", "population", "mode", "password", "check1", "meta"]
)
def test_a_submission_with_a_nul_is_refused(amina, field):
    answer = amina.submit(**{field: "a\0b"})
    assert answer.status_code == 400
    assert "cannot be stored" in answer.json()["message"]
    assert not Job.objects.exists()


def test_more_fields_than_the_server_takes_are_refused_as_json(amina):
    answer = amina.submit(**{f"f{number}": "x" for number in range(2_000)})
    assert answer.status_code == 400
    assert answer.json() == {"message": "The request is malformed.", "success": False}


def test_a_host_that_is_not_ours_is_refused_as_json(client):
    answer = client.get("/api/v2/server", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert answer.json() == {"message": "The request is malformed.", "success": False}
