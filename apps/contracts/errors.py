"""The one shape of an error answer: what the legacy system said, and four keys beside it.

Clients of the legacy system read `detail`, `error` or a map of fields; these stay as they are.
Everybody else reads `code` (a word that never changes), `message` (a sentence for people),
`details` (what is wrong with which field) and `request_id`.
"""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

__all__ = ["ADDED_KEYS", "CODES", "CODE_OF_STATUS", "complete_error"]

ADDED_KEYS: Final = ("code", "details", "message", "request_id")
CODE_OF_STATUS: Final[Mapping[int, str]] = MappingProxyType(
    {
        400: "invalid",
        401: "not_authenticated",
        403: "permission_denied",
        404: "not_found",
        405: "method_not_allowed",
        406: "not_acceptable",
        408: "timeout",
        409: "conflict",
        410: "gone",
        413: "too_large",
        414: "uri_too_long",
        415: "unsupported_media_type",
        416: "range_not_satisfiable",
        429: "throttled",
        431: "headers_too_large",
        500: "server_error",
        501: "not_implemented",
        502: "bad_gateway",
        503: "unavailable",
        504: "timeout",
        507: "storage_full",
    }
)
CODES: Final = frozenset({*CODE_OF_STATUS.values(), "invalid_token", "quota_exceeded"})
_SENTENCES: Final = ("detail", "error", "message")


def complete_error(body: Any, *, status: int, request_id: str, reason: str = "") -> dict[str, Any]:
    """The body of an error answer with all that every error answer has.

    Nothing of an object is lost or changed, except that a `code`, `message` or `details` of the
    wrong type gives way. Text becomes `detail`, and a list `errors`.

    Args:
        body: What JSON can hold; `None` when there is no body.
        status: Of the answer, 400 or more.
        request_id: Of the request.
        reason: A word of `CODES` that says more than the status does; others are not used.
    """
    legacy = _as_object(body)
    details = {} if _sentence(legacy) else dict(_field_messages(legacy, status=status))
    added: dict[str, Any] = {
        "code": reason if reason in CODES else _code(status),
        "message": _sentence(legacy) or _first(details) or _phrase(status),
        "details": details,
    }
    kept = {
        key: legacy[key]
        for key, value in added.items()
        if isinstance(legacy.get(key), type(value)) and legacy[key]
    }
    return {**legacy, **added, **kept, "request_id": request_id}


def _as_object(body: Any) -> dict[str, Any]:
    if isinstance(body, Mapping):
        return dict(body)
    if body is None:
        return {}
    return {"detail": body} if isinstance(body, str) else {"errors": body}


def _code(status: int) -> str:
    return CODE_OF_STATUS.get(status, "server_error" if status >= 500 else "invalid")


def _phrase(status: int) -> str:
    try:
        return f"{HTTPStatus(status).phrase}."
    except ValueError:
        return "Error."


def _sentence(body: Mapping[str, Any]) -> str:
    return next((body[key] for key in _SENTENCES if _is_text(body.get(key))), "")


def _first(details: Mapping[str, list[str]]) -> str:
    return next((message for messages in details.values() for message in messages), "")


def _field_messages(body: Mapping[str, Any], *, status: int) -> Iterator[tuple[str, list[str]]]:
    """Only a refusal of input is a map of fields; a failing check may have any keys."""
    if status >= 500:
        return
    for field, found in body.items():
        yield from _messages(found, field)


def _messages(found: Any, place: str) -> Iterator[tuple[str, list[str]]]:
    """`services.1.name` is the name of the second service."""
    if _is_text(found):
        yield place, [found]
    elif isinstance(found, Mapping):
        for key, inner in found.items():
            yield from _messages(inner, f"{place}.{key}")
    elif isinstance(found, list):
        if texts := [text for text in found if _is_text(text)]:
            yield place, texts
        for number, inner in enumerate(found):
            if not isinstance(inner, str):
                yield from _messages(inner, f"{place}.{number}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
