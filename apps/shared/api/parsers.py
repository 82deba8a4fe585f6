"""Django REST framework's parsers, for which no body of a client is our own failure.

Two kinds of body get past their checks as exceptions that nobody expects: JSON that is nested
deeper than Python goes, and a charset that exists but cannot be used so.
"""

import codecs
import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework import parsers
from rest_framework.exceptions import ParseError
from rest_framework.utils.json import strict_constant

__all__ = ["FormParser", "JSONParser", "MultiPartParser", "json_of"]


class _Unfailing(parsers.BaseParser):
    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except (RecursionError, UnicodeError):
            raise ParseError("The body cannot be read.") from None


class _ExactJSONParser(parsers.JSONParser):
    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        encoding = parsers.get_encoding(parser_context or {})  # type: ignore[attr-defined]
        body = codecs.getreader(encoding)(stream).read()
        try:
            return _loaded(body)
        except ValueError as error:
            raise ParseError(f"JSON parse error - {error}") from None


def json_of(text: str) -> Any:
    """The value of JSON that came as text inside of a form, read as strictly as a body is.

    Raises:
        ValueError: It is none, is nested too deeply, or names a key of an object twice.
    """
    try:
        return _loaded(text)
    except RecursionError:
        raise ValueError("It is nested too deeply.") from None


class JSONParser(_Unfailing, _ExactJSONParser):
    """`application/json`; 400 for whatever is none, and for an object that names a key twice.

    Which of the two a reader takes is anybody's guess (RFC 8259 4): what somebody else checked
    could be the other one.
    """


class FormParser(_Unfailing, parsers.FormParser):
    """`application/x-www-form-urlencoded`; 400 for whatever is none."""


class MultiPartParser(_Unfailing, parsers.MultiPartParser):
    """`multipart/form-data`; 400 for whatever is none."""


def _loaded(text: str) -> Any:
    return json.loads(text, parse_constant=strict_constant, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("An object names a key twice.")
    return made
