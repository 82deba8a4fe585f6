"""The request id: taken from a caller that sends a well-formed one, else made, always answered."""

import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase

__all__ = ["HEADER", "RequestIdMiddleware", "request_id"]

HEADER = "X-Request-ID"
request_id: ContextVar[str] = ContextVar("request_id", default="")
_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestIdMiddleware:
    """Keeps `request_id` for the time of the request, so that every log line carries it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        value = request.headers.get(HEADER, "")
        if not _WELL_FORMED.fullmatch(value):
            value = uuid.uuid4().hex
        token = request_id.set(value)
        try:
            response = self._get_response(request)
            response.headers[HEADER] = value
            return response
        finally:
            request_id.reset(token)
