"""What a client should never send is answered as its mistake, not as ours."""

import re

import pytest
from django.urls import URLPattern, get_resolver

pytestmark = pytest.mark.django_db
LOGIN = "/api/auth/login/"


@pytest.mark.parametrize(
    "body", ["[" * 100_000, '{"username":' * 100_000, "[" * 5_000 + "]" * 5_000]
)
@pytest.mark.parametrize("path", [LOGIN, "/api/jobs/"])
def test_json_nested_deeper_than_python_goes_is_refused(admin_client, path, body):
    answer = admin_client.post(path, body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["detail"] == "The body cannot be read."


@pytest.mark.parametrize(
    ("charset", "media_type"),
    [
        ("punycode", "application/x-www-form-urlencoded"),
        ("idna", "application/x-www-form-urlencoded"),
        ("idna", "multipart/form-data; boundary=x"),
        ("punycode", "application/json"),
        ("zlib", "application/json"),
    ],
)
def test_a_charset_that_does_not_fit_the_body_is_refused(admin_client, charset, media_type):
    body = b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\n\xffa=\r\n--x--\r\n'
    if "urlencoded" in media_type:
        body = b"username=a%ff%2f=&password=b"
    answer = admin_client.generic(
        "POST", "/api/jobs/", body, content_type=f"{media_type}; charset={charset}"
    )
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/json"


def test_more_fields_than_django_takes_are_refused_as_json(client):
    answer = client.post(
        LOGIN, "&".join(f"f{n}=1" for n in range(2_000)), "application/x-www-form-urlencoded"
    )
    assert answer.status_code == 400
    assert answer.json()["detail"] == "Bad request."


@pytest.mark.parametrize(
    "cookie", [r'"\000\000\000\000\000\000\000\000"', r'"abcdefgh\000"', "'or 1=1--a", "A" * 32]
)
def test_a_session_cookie_that_holds_no_key_is_no_session(client, cookie):
    answer = client.get("/api/auth/user/", headers={"Cookie": f"sessionid={cookie}"})
    assert answer.status_code == 403


@pytest.mark.parametrize("version", ["%0d%0aX-Evil:%201", "%22;%20filename=evil.html"])
def test_the_schema_repeats_no_foreign_text_in_a_header(client, version):
    answer = client.get(f"/api/schema/?version={version}")
    assert answer.status_code == 200
    assert re.fullmatch(r'inline; filename="[\w ]+\.yaml"', answer.headers["Content-Disposition"])


def _routes(patterns, prefix=""):
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route
        else:
            yield from _routes(pattern.url_patterns, route)


ROUTES = [
    re.sub(r"<int:\w+>", "1", re.sub(r"<str:\w+>", "x", route))
    for route in _routes(get_resolver().url_patterns)
    if route.startswith(("api/", "health", "readyz"))
]


@pytest.mark.parametrize("method", ["get", "head", "options", "post", "put", "patch", "delete"])
def test_no_method_on_any_route_is_too_much(admin_client, method):
    assert len(ROUTES) > 25
    statuses = {route: getattr(admin_client, method)(f"/{route}").status_code for route in ROUTES}
    assert {route: status for route, status in statuses.items() if status >= 500} == {}


@pytest.mark.parametrize(
    "body",
    [
        '{"username": "ada", "username": "eve", "password": "x"}',
        '{"username": "ada", "password": NaN}',
        '{"username": "ada", "password": ' + "9" * 5_000 + "}",
        '{"username": "ada", "password": 1e400}',
        '{"username": "ada\\u0000", "password": "x"}',
        '{"username": "ada\\ud800", "password": "x"}',
        '["username", "password"]',
        '"username"',
        "null",
    ],
)
def test_json_that_nobody_can_mean_is_refused(client, body):
    assert client.post(LOGIN, body, content_type="application/json").status_code == 400
