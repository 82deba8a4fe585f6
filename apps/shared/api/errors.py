"""Error answers: JSON below `/api/`, all in one shape; short pages elsewhere."""

import json
import logging
import sys
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.views import defaults
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from apps.contracts.errors import complete_error
from apps.contracts.tokens import CHALLENGE_HEADER, SCHEME
from apps.shared.api.passing import Passing, passing
from apps.shared.observability.middleware import request_id

__all__ = ["ErrorShapeMiddleware", "bad_request", "not_found", "server_error"]

logger = logging.getLogger(__name__)
_BELOW = "/api/"


class ErrorShapeMiddleware:
    """Makes every error below `/api/` JSON with the keys of `apps.contracts.errors`.

    It stands just inside the middleware that knows the request id, so that it sees the errors of
    all others. Whatever a view renders, an error of it is JSON; an error page becomes the shape
    alone. While the database does not answer, the answer is 503, and while the disk is full, 507;
    both also for pages, and the request may be repeated.
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
        found = passing(exception)
        return None if found is None else _answer_passing(request, found, exception)


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
    """500 for an exception that nothing expected; says nothing about it.

    Django calls this while it handles the exception, whichever middleware raised it.
    """
    exception = sys.exception()
    found = passing(exception)
    if found is not None and exception is not None:
        return _answer_passing(request, found, exception)
    if request.path.startswith(_BELOW):
        return JsonResponse({"detail": "Internal server error."}, status=500)
    return defaults.server_error(request)


def _answer_passing(
    request: HttpRequest, found: Passing, exception: BaseException
) -> HttpResponseBase:
    logger.error("%s", found.title, exc_info=exception)
    headers = {"Retry-After": str(found.retry_after)}
    if request.path.startswith(_BELOW):
        return JsonResponse({"detail": found.sentence}, status=found.status, headers=headers)
    page = defaults.ERROR_PAGE_TEMPLATE % {"title": found.title, "details": found.sentence}
    return HttpResponse(page, status=found.status, headers=headers)
