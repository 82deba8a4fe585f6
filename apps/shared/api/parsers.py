"""Django REST framework's parsers, for which no body of a client is our own failure.

Two kinds of body get past their checks as exceptions that nobody expects: JSON that is nested
deeper than Python goes, and a charset that exists but cannot be used so.
"""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework import parsers
from rest_framework.exceptions import ParseError

__all__ = ["FormParser", "JSONParser", "MultiPartParser"]


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


class JSONParser(_Unfailing, parsers.JSONParser):
    """`application/json`; 400 for whatever is none."""


class FormParser(_Unfailing, parsers.FormParser):
    """`application/x-www-form-urlencoded`; 400 for whatever is none."""


class MultiPartParser(_Unfailing, parsers.MultiPartParser):
    """`multipart/form-data`; 400 for whatever is none."""
