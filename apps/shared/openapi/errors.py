"""The errors that an operation can answer, added by construction and never by hand.

A view declares only what is its own: a 409, or a sentence about what its 400 means. Everything
else follows from the operation itself. All have one schema, `Error`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from apps.contracts.errors import CODES, complete_error

__all__ = ["add_errors", "allow_empty_parameters"]

_METHODS = ("get", "head", "options", "post", "put", "patch", "delete")
_REQUEST_ID = "0d9ad1c3f2b84d3fa3c1f2f6f2d4b0f1"
_UNSAFE = ("post", "put", "patch", "delete")

_ERROR = {
    "type": "object",
    "description": (
        "What every error looks like. Beside these four an answer keeps the keys that it always "
        "had: `detail` or `error` with a sentence, or each wrong field with its messages."
    ),
    "properties": {
        "code": {
            "type": "string",
            "enum": sorted(CODES),
            "description": "A stable word for programs.",
        },
        "message": {"type": "string", "description": "A sentence for people."},
        "details": {
            "type": "object",
            "description": "Each wrong field with its messages; empty when no field is wrong.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
        "request_id": {
            "type": "string",
            "description": "As in the header `X-Request-ID`; name it when you ask for help.",
        },
    },
    "required": ["code", "details", "message", "request_id"],
    "additionalProperties": {"$ref": "#/components/schemas/ErrorMessages"},
}
_MESSAGES = {
    "description": "The legacy form of an error: a sentence, a list of them, or one by field.",
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"$ref": "#/components/schemas/ErrorMessages"}},
        {
            "type": "object",
            "additionalProperties": {"$ref": "#/components/schemas/ErrorMessages"},
        },
    ],
}

# Status: name of the shared answer, what it means, an example of its legacy body.
_ANSWERS: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "400": (
        "BadRequest",
        "The request is not what this operation takes.",
        {"name": ["This field is required."]},
    ),
    "401": (
        "Unauthorized",
        "The token or password shown is not valid.",
        {"detail": "The token is not valid."},
    ),
    "403": (
        "Forbidden",
        "Nobody is signed in, or the caller may not do this.",
        {"detail": "You do not have permission to perform this action."},
    ),
    "404": (
        "NotFound",
        "There is no such thing, or the caller may not know of it.",
        {"detail": "Not found."},
    ),
    "406": (
        "NotAcceptable",
        "`Accept` names no type that this operation answers with.",
        {"detail": "Could not satisfy the request Accept header."},
    ),
    "409": (
        "Conflict",
        "It contradicts what is there.",
        {"error": "There is one with this name."},
    ),
    "413": (
        "TooLarge",
        "The body is larger than this operation takes.",
        {"detail": "The request is larger than 10 MB."},
    ),
    "414": (
        "AddressTooLong",
        "Path and query are longer than 8 KiB together.",
        {"detail": "The address is too long."},
    ),
    "415": (
        "UnsupportedMediaType",
        "The body's content type is none of those listed.",
        {"detail": 'Unsupported media type "text/csv" in request.'},
    ),
    "416": (
        "RangeNotSatisfiable",
        "The range lies behind the end of the file.",
        {},
    ),
    "422": (
        "Unprocessable",
        "The request is whole, and contradicts an earlier one.",
        {"detail": "This Idempotency-Key was used for another request; use a new one."},
    ),
    "429": (
        "TooManyRequests",
        "The caller asks too often; `Retry-After` says when to ask again.",
        {"error": "Rate limit exceeded"},
    ),
}
_HEADERS: Mapping[str, Mapping[str, Any]] = {
    "X-Request-ID": {
        "description": "Names this request in the logs.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{8,64}$"},
        "required": True,
    },
    "Retry-After": {
        "description": "Seconds until a next try makes sense (RFC 9110 10.2.3).",
        "schema": {"type": "integer", "minimum": 0},
        "required": True,
    },
    "WWW-Authenticate": {
        "description": "How to sign in (RFC 9110 11.6.1).",
        "schema": {"type": "string"},
        "required": True,
    },
}
_HEADERS_OF = {"401": ("WWW-Authenticate",), "429": ("Retry-After",)}


def add_errors(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add to every operation the errors that it can answer; a drf-spectacular postprocessing hook.

    400, 406 and 429 everywhere; 401 wherever a token is read; 403 where somebody must be signed in
    or another site's page could act; 404 with an id in the path or pages; 413 and 415 with a body;
    414 with text in the query. What a view says about an error of its own is kept as that error's
    description.
    """
    components = result.setdefault("components", {})
    components.setdefault("schemas", {}).update({"Error": _ERROR, "ErrorMessages": _MESSAGES})
    components["headers"] = {name: dict(header) for name, header in _HEADERS.items()}
    components["responses"] = {
        name: _answer(status, description)
        for status, (name, description, _example) in _ANSWERS.items()
    }
    for path, methods in result["paths"].items():
        for method in _METHODS:
            if method in methods:
                _complete(methods[method], path=path, method=method)
    return result


def allow_empty_parameters(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Say of every query parameter that an empty one counts as absent; a postprocessing hook."""
    for methods in result["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "query":
                    parameter["allowEmptyValue"] = True
    return result


def _complete(operation: dict[str, Any], *, path: str, method: str) -> None:
    answers = operation["responses"]
    for status in _statuses(operation, path=path, method=method):
        answers.setdefault(status, None)
    for status in sorted(answers):
        declared = answers.pop(status)
        if status in _ANSWERS:
            own_words = (declared or {}).get("description")
            answers[status] = (
                _answer(status, own_words)
                if own_words
                else {"$ref": f"#/components/responses/{_ANSWERS[status][0]}"}
            )
        else:
            answers[status] = {**declared, "headers": _headers(status, declared.get("headers"))}


def _statuses(operation: Mapping[str, Any], *, path: str, method: str) -> Iterable[str]:
    yield from ("400", "406", "429")
    schemes = [requirement for requirement in operation.get("security", []) if requirement]
    is_protected = bool(schemes) and len(schemes) == len(operation["security"])
    if schemes:
        yield "401"
    if is_protected or method in _UNSAFE:
        yield "403"
    names = {parameter["name"] for parameter in operation.get("parameters", [])}
    if "{" in path or "page" in names:
        yield "404"
    if "requestBody" in operation:
        yield from ("413", "415")
    if any(map(_is_text, operation.get("parameters", []))):
        yield "414"


def _is_text(parameter: Mapping[str, Any]) -> bool:
    schema = parameter["schema"]
    return parameter["in"] == "query" and schema.get("type") == "string" and "enum" not in schema


def _answer(status: str, description: str) -> dict[str, Any]:
    *_, legacy = _ANSWERS[status]
    return {
        "description": description,
        "headers": _headers(status, None),
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/Error"},
                "example": complete_error(legacy, status=int(status), request_id=_REQUEST_ID),
            }
        },
    }


def _headers(status: str, declared: Mapping[str, Any] | None) -> dict[str, Any]:
    names = ("X-Request-ID", *_HEADERS_OF.get(status, ()))
    return {
        **{name: {"$ref": f"#/components/headers/{name}"} for name in names},
        **(declared or {}),
    }
