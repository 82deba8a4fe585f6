"""Error answers: JSON below `/api/`, all in one shape; Django's own pages elsewhere."""

import json
import logging
from collections.abc import Callable
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.views import defaults
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from apps.contracts.errors import complete_error
from apps.contracts.tokens import CHALLENGE_HEADER, SCHEME
from apps.shared.observability.middleware import request_id

__all__ = ["ErrorShapeMiddleware", "bad_request", "not_found", "server_error"]

logger = logging.getLogger(__name__)
_BELOW = "/api/"


class ErrorShapeMiddleware:
    """Makes every error below `/api/` JSON with the keys of `apps.contracts.errors`.

    It stands just inside the middleware that knows the request id, so that it sees the errors of
    all others. Whatever a view renders, an error of it is JSON; an error page becomes the shape
    alone. While the database does not answer, the answer is 503: the request may be repeated.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        if (
            response.status_code >= 400
            and request.path.startswith(_BELOW)
            and isinstance(response, HttpResponse)
        ):
            body = complete_error(
                _body(response),
                status=response.status_code,
                request_id=request_id.get(),
                reason=_reason(response),
            )
            response.content = json.dumps(body, ensure_ascii=False, cls=JSONEncoder).encode()
            response.headers["Content-Type"] = "application/json"
            response.headers["Content-Length"] = str(len(response.content))
            if response.status_code == 401:  # RFC 9110 15.5.2: always with a challenge
                response.headers.setdefault(CHALLENGE_HEADER, f'{SCHEME} realm="api"')
        return response

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        # A lost connection, a shutdown, a deadlock; a wrong statement is none of them.
        is_passing = isinstance(exception, InterfaceError | OperationalError)
        if not is_passing or not request.path.startswith(_BELOW):
            return None
        logger.error("The database does not answer", exc_info=exception)
        return JsonResponse({"detail": "Not possible now. Try again later."}, status=503)


def _body(response: HttpResponse) -> Any:
    if isinstance(response, Response):
        return response.data
    if response.headers.get("Content-Type", "").startswith("application/json"):
        return json.loads(response.content)
    return None


def _reason(response: HttpResponse) -> str:
    """The word that Django REST framework keeps beside the sentence of an exception."""
    data = response.data if isinstance(response, Response) else None
    sentence = data.get("detail") if isinstance(data, dict) else None
    return str(getattr(sentence, "code", ""))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """400 for a request that Django itself refuses; says nothing about why, the log does."""
    if request.path.startswith(_BELOW):
        return JsonResponse({"detail": "Bad request."}, status=400)
    return defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """404 for a path that nothing serves; the body is the one that a missing row has."""
    if request.path.startswith(_BELOW):
        return JsonResponse({"detail": "Not found."}, status=404)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """500 for an exception that nothing expected; says nothing about it."""
    if request.path.startswith(_BELOW):
        return JsonResponse({"detail": "Internal server error."}, status=500)
    return defaults.server_error(request)
