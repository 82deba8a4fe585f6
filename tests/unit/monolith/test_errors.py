"""Every error answer below `/api/` has one shape and tells nothing about the inside."""

import errno
import logging

import pytest
from django.core.exceptions import SuspiciousOperation
from django.db import DatabaseError, OperationalError, connection
from django.http import HttpRequest
from django.urls import path
from drf_spectacular.generators import SchemaGenerator

from apps.contracts.errors import ADDED_KEYS
from tests.factories import make_user
from tests.unit.monolith.test_hostile_requests import ROUTES

SECRET = "correct horse battery staple"


def crash(request: HttpRequest):
    raise RuntimeError(SECRET)


def crash_in_database(request: HttpRequest):
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s FROM there_is_no_such_table", [SECRET])


def lose_database(request: HttpRequest):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid()), %s", [SECRET])


def suspect(request: HttpRequest):
    raise SuspiciousOperation(SECRET)


def fill_disk(request: HttpRequest):
    raise OSError(errno.ENOSPC, "No space left on device", SECRET)


urlpatterns = [
    path("api/crash/", crash),
    path("api/full-disk/", fill_disk),
    path("page/full-disk/", fill_disk),
    path("page/lost-database/", lose_database),
    path("api/crash-in-database/", crash_in_database),
    path("api/lost-database/", lose_database),
    path("api/suspect/", suspect),
]
handler400 = "apps.shared.api.errors.bad_request"
handler404 = "apps.shared.api.errors.not_found"
handler500 = "apps.shared.api.errors.server_error"


class LostMiddleware:
    def __init__(self, get_response):
        pass

    def __call__(self, request):
        raise OperationalError(SECRET)


class BrokenMiddleware:
    def __init__(self, get_response):
        pass

    def __call__(self, request):
        raise DatabaseError(SECRET)


@pytest.fixture
def lenient(client):
    client.raise_request_exception = False
    return client


def assert_shaped(answer, status, code):
    body = answer.json()
    assert answer.status_code == status
    assert body["code"] == code
    assert body["message"]
    assert isinstance(body["details"], dict)
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert int(answer.headers["Content-Length"]) == len(answer.content)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "where", "status", "code"),
    [
        ("get", "/api/nowhere/", 404, "not_found"),
        ("get", "/api/jobs/", 403, "not_authenticated"),
        ("delete", "/api/auth/login/", 405, "method_not_allowed"),
        ("post", "/api/auth/login/", 400, "invalid"),
    ],
)
def test_an_error_has_the_shape_and_the_request_id(client, method, where, status, code):
    answer = getattr(client, method)(where, headers={"X-Request-ID": "asked-for-1"})
    assert_shaped(answer, status, code)
    assert answer.json()["request_id"] == "asked-for-1"


@pytest.mark.django_db
def test_an_unreadable_media_type_has_the_shape(client):
    answer = client.post("/api/auth/login/", b"<a/>", content_type="application/xml")
    assert_shaped(answer, 415, "unsupported_media_type")


@pytest.mark.django_db
@pytest.mark.urls(__name__)
@pytest.mark.parametrize(
    ("where", "status", "code"),
    [
        ("/api/crash/", 500, "server_error"),
        ("/api/crash-in-database/", 500, "server_error"),
        ("/api/suspect/", 400, "invalid"),
    ],
)
def test_an_exception_tells_the_client_nothing(lenient, caplog, where, status, code):
    with caplog.at_level(logging.CRITICAL, "django"):
        answer = lenient.get(where)
    assert_shaped(answer, status, code)
    for hint in (SECRET, "Traceback", "no_such_table", "Error(", ".py"):
        assert hint not in answer.content.decode()


@pytest.mark.django_db(transaction=True)
@pytest.mark.urls(__name__)
def test_without_its_database_the_api_asks_for_patience(client, caplog):
    try:
        answer = client.get("/api/lost-database/")
    finally:
        connection.close()
    assert_shaped(answer, 503, "unavailable")
    assert SECRET not in answer.content.decode()
    assert "The database does not answer" in caplog.messages


@pytest.mark.django_db(transaction=True)
@pytest.mark.urls(__name__)
def test_without_its_database_a_page_asks_for_patience_too(client):
    try:
        answer = client.get("/page/lost-database/")
    finally:
        connection.close()
    assert answer.status_code == 503
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "the database does not answer. Try again later." in answer.content.decode()
    assert SECRET not in answer.content.decode()


@pytest.mark.parametrize("path", ["/api/services/", "/admin/"])
def test_a_middleware_that_loses_the_database_asks_for_patience(lenient, settings, path):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, LOST]
    answer = lenient.get(path)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "10"
    assert SECRET not in answer.content.decode()


@pytest.mark.urls(__name__)
def test_a_full_disk_is_told(client):
    answer = client.get("/api/full-disk/")
    assert_shaped(answer, 507, "storage_full")
    page = client.get("/page/full-disk/")
    assert page.status_code == 507
    for told in (answer, page):
        assert "The disk of this server is full: nothing was stored." in told.content.decode()
        assert SECRET not in told.content.decode()


@pytest.mark.parametrize("place", [0, -1])
def test_an_exception_in_a_middleware_tells_the_client_nothing(lenient, settings, place):
    settings.MIDDLEWARE = list(settings.MIDDLEWARE)
    settings.MIDDLEWARE.insert(place if place == 0 else len(settings.MIDDLEWARE), BROKEN)
    answer = lenient.get("/api/services/")
    assert answer.status_code == 500
    assert answer.json()["detail"] == "Internal server error."
    assert SECRET not in answer.content.decode()


LOST = f"{__name__}.{LostMiddleware.__name__}"
BROKEN = f"{__name__}.{BrokenMiddleware.__name__}"


@pytest.mark.django_db
def test_no_error_of_any_route_is_without_the_shape(client):
    client.force_login(make_user("ada"))
    shapeless = []
    for route in ROUTES:
        for method in ("get", "post", "put", "patch", "delete"):
            answer = getattr(client, method)(f"/{route}")
            if route.startswith("api/") and answer.status_code >= 400:
                body = answer.json()
                if not set(ADDED_KEYS) <= set(body):
                    shapeless.append((method, route))
    assert shapeless == []


def test_no_input_has_a_field_that_an_error_could_be_taken_for():
    schema = SchemaGenerator().get_schema(request=None, public=True)
    inputs = {
        content["schema"]["$ref"].rpartition("/")[2]
        for methods in schema["paths"].values()
        for operation in methods.values()
        for content in operation.get("requestBody", {}).get("content", {}).values()
        if "$ref" in content["schema"]
    }
    assert "Login" in "".join(inputs)
    fields = {
        f"{name}.{field}"
        for name in inputs
        for field in schema["components"]["schemas"][name].get("properties", {})
    }
    assert {field for field in fields if field.rpartition(".")[2] in ADDED_KEYS} == set()
