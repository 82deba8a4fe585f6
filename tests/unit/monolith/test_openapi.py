"""The OpenAPI description says what every operation takes and answers, and is cheap to ask for."""

import json

import pytest
import yaml
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from jsonschema import Draft4Validator  # type: ignore[import-untyped]
from rest_framework.views import APIView

METHODS = {"get", "put", "post", "delete", "patch"}
# What only the service or the person who set it up can know: the JSON columns.
JSON_COLUMNS = {
    "api_config",
    "details",
    "external_data",
    "result_files",
    "service_response",
}


@pytest.fixture(scope="module")
def generated():
    GENERATOR_STATS.reset()
    made = SchemaGenerator().get_schema(request=None, public=True)
    return made, sorted({*GENERATOR_STATS._warn_cache, *GENERATOR_STATS._error_cache})


@pytest.fixture(scope="module")
def schema(generated):
    return generated[0]


@pytest.fixture(scope="module")
def operations(schema):
    return {
        f"{method.upper()} {path}": operation
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }


def test_the_generator_guesses_nothing_and_has_an_example_for_all(generated):
    assert generated[1] == []


def test_schema_is_valid_openapi(schema):
    validate_schema(schema)


def _views(patterns):
    for pattern in patterns:
        if hasattr(pattern, "url_patterns"):
            yield from _views(pattern.url_patterns)
        else:
            yield getattr(pattern.callback, "cls", None)


def test_every_view_is_described(operations):
    views = [view for view in _views(get_resolver().url_patterns) if view is not None]
    assert len([view for view in views if issubclass(view, APIView)]) > 25
    described = sum(
        len([name for name in METHODS if hasattr(view, name)])
        for view in views
        if not view.__module__.startswith("apps.shared.openapi")
    )
    assert described == len(operations)


def test_every_operation_has_a_summary_of_its_own(operations):
    summaries = {name: operation.get("summary") for name, operation in operations.items()}
    assert [name for name, summary in summaries.items() if not summary] == []
    shared = [s for s in summaries.values() if list(summaries.values()).count(s) > 1]
    # Legacy paths that answer the same.
    assert set(shared) <= {
        "The bytes of a result file",
        "The user of the session, at two paths that answer the same",
    }


def test_no_object_is_untyped_but_the_json_columns(schema):
    assert sorted(_untyped(schema)) == sorted(JSON_COLUMNS & set(_untyped(schema)))


def _untyped(schema):
    """Names of the properties, or places, whose schema says nothing about what they hold."""
    found = set()

    def look(part, name):
        if not isinstance(part, dict):
            return
        if _says_nothing(part):
            found.add(name)
            return
        for field, inner in part.get("properties", {}).items():
            look(inner, field)
        for key in ("items", "additionalProperties"):
            if key in part:
                look(part[key], name)
        for several in ("allOf", "anyOf", "oneOf"):
            for inner in part.get(several, []):
                look(inner, name)

    for name, component in schema["components"]["schemas"].items():
        look(component, name)
    for path, methods in schema["paths"].items():
        for operation in methods.values():
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for content in (c for body in bodies for c in body.get("content", {}).values()):
                look(content["schema"], path)
            for parameter in operation.get("parameters", []):
                look(parameter["schema"], f"{path} {parameter['name']}")
    return found


def _says_nothing(part):
    typed = {"$ref", "allOf", "anyOf", "oneOf", "enum"}
    if typed & set(part):
        return False
    if part.get("type") == "object":
        return not part.get("properties") and not part.get("additionalProperties")
    return "type" not in part


def test_every_operation_shows_what_it_takes_and_answers(operations, schema):
    silent = []
    for name, operation in operations.items():
        answers = {s: a for s, a in operation["responses"].items() if s.startswith("2")}
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        bodies += [answer for status, answer in answers.items() if status != "204"]
        if not answers or not all(body.get("content") for body in bodies):
            silent.append(name)
        silent += [
            name
            for body in bodies
            for media, content in body.get("content", {}).items()
            if media != "application/octet-stream" and "example" not in content
        ]
    assert silent == []


def test_every_example_is_what_its_schema_says(operations, schema):
    wrong = []
    for name, operation in operations.items():
        bodies = {"request": operation.get("requestBody", {}), **operation["responses"]}
        for place, body in bodies.items():
            for content in _resolved(body, schema).get("content", {}).values():
                if "example" in content and place != "request":
                    validator = Draft4Validator(_as_json_schema(content["schema"], schema))
                    wrong += [
                        f"{name} {place}: {error.json_path} {error.message}"
                        for error in validator.iter_errors(content["example"])
                    ]
    assert wrong == []


def _resolved(part, schema):
    while "$ref" in part:
        inner = schema
        for step in part["$ref"].removeprefix("#/").split("/"):
            inner = inner[step]
        part = inner
    return part


def _as_json_schema(part, schema):
    """OpenAPI 3.0 writes `nullable` where JSON Schema writes a type."""

    def translated(inner):
        if isinstance(inner, list):
            return [translated(entry) for entry in inner]
        if not isinstance(inner, dict):
            return inner
        new = {key: translated(value) for key, value in inner.items()}
        return {"anyOf": [new, {"type": "null"}]} if inner.get("nullable") is True else new

    return {**translated(part), "components": translated(schema["components"])}


def test_every_operation_names_its_errors(operations, schema):
    for name, operation in operations.items():
        answers = operation["responses"]
        protected = operation["security"] and {} not in operation["security"]
        expected = {"400", "429"}
        expected |= {"401", "403"} if protected else set()
        expected |= {"404"} if "{" in name else set()
        expected |= {"413", "415"} if "requestBody" in operation else set()
        assert expected <= set(answers), name
        for status in set(answers) & (expected | {"409"}):
            answer = _resolved(answers[status], schema)
            reference = answer["content"]["application/json"]["schema"]["$ref"]
            assert reference == "#/components/schemas/Error", name


def test_every_answer_names_its_headers(operations, schema):
    needed = {"401": {"WWW-Authenticate"}, "429": {"Retry-After"}}
    for name, operation in operations.items():
        for status, answer in operation["responses"].items():
            headers = set(_resolved(answer, schema)["headers"])
            assert headers >= {"X-Request-ID", *needed.get(status, set())}, f"{name} {status}"


def test_every_number_that_comes_in_has_bounds(operations, schema):
    loose = []

    def look(part, place):
        part = _resolved(part, schema)
        if part.get("type") in {"integer", "number"} and not {"minimum", "maximum"} <= set(part):
            loose.append(place)
        for field, inner in part.get("properties", {}).items():
            look(inner, f"{place}.{field}")
        if "items" in part:
            look(part["items"], place)

    for name, operation in operations.items():
        for parameter in operation.get("parameters", []):
            look(parameter["schema"], f"{name} {parameter['name']}")
        for content in operation.get("requestBody", {}).get("content", {}).values():
            look(content["schema"], name)
    assert loose == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("accept", "media_type", "read"),
    [
        ("application/vnd.oai.openapi+json", "application/vnd.oai.openapi+json", json.loads),
        ("application/json", "application/json", json.loads),
        ("application/vnd.oai.openapi", "application/vnd.oai.openapi", yaml.safe_load),
        ("*/*", "application/vnd.oai.openapi", yaml.safe_load),
    ],
)
def test_schema_is_served_to_anybody_in_the_form_asked_for(client, accept, media_type, read):
    answer = client.get("/api/schema/", headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == media_type
    assert "Accept" in answer.headers["Vary"]
    assert "/api/services/" in read(answer.content)["paths"]


@pytest.mark.django_db
def test_schema_is_built_once_whatever_is_asked(client, django_db_blocker, monkeypatch):
    first = client.get("/api/schema/?format=json")
    monkeypatch.setattr(SchemaGenerator, "get_schema", None)
    for query in ("format=json&version=v2", "format=json&lang=fr", "format=json&lang=nowhere"):
        assert client.get(f"/api/schema/?{query}").content == first.content


@pytest.mark.django_db
def test_schema_is_not_sent_again_to_a_client_that_has_it(client, connection_queries):
    first = client.get("/api/schema/?format=json")
    again = client.get("/api/schema/?format=json", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == first["ETag"]
    assert connection_queries == []


@pytest.fixture
def connection_queries(db):
    from django.db import connection

    with CaptureQueriesContext(connection) as context:
        yield context.captured_queries


@pytest.mark.django_db
def test_docs_are_served_to_anybody_without_inline_scripts_or_foreign_ones(client):
    page = client.get("/api/docs/")
    assert page.status_code == 200
    assert b"cdn." not in page.content
    assert b"<script>" not in page.content
    script = client.get("/api/docs/?script=")
    assert script.headers["Content-Type"].startswith("application/javascript")
    assert b"/api/schema/" in script.content


def test_usernames_are_described_as_they_are_checked(schema):
    username = schema["components"]["schemas"]["NewUserRequest"]["properties"]["username"]
    assert username["pattern"] == r"^[\w.@+-]+$"
