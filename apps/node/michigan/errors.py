"""Every error as `{"message": …, "success": false}`, with the status that clients go by."""

import logging
import sys
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response

from apps.node.pipeline.panels import PanelError
from apps.node.refusals import Refusal
from apps.shared.api.passing import passing
from apps.shared.limits.passwords import TooManyAttempts

__all__ = ["answer_error", "bad_request", "crashed", "not_found"]

logger = logging.getLogger(__name__)
_MALFORMED = "The request is malformed."


def answer_error(error: Exception, context: dict[str, Any]) -> Response | None:
    """The answer to what a view raised; `None` leaves it to Django, which logs it."""
    if isinstance(error, Refusal):
        return _answer(error.status, error.message)
    if isinstance(error, TooManyAttempts):
        answer = _answer(429, "Too many logins. Please try again later.")
        answer.headers["Retry-After"] = str(error.wait)
        return answer
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return _answer(401, "Unauthorized")
    if isinstance(error, exceptions.PermissionDenied):
        return _answer(403, "Access denied.")
    if isinstance(error, exceptions.APIException):
        return _answer(error.status_code, str(error.detail))
    if isinstance(error, Http404):
        return _answer(404, "Page Not Found")
    if isinstance(error, SuspiciousOperation):
        return _answer(400, _MALFORMED)
    if isinstance(error, PanelError):
        logger.error("A reference panel cannot be read: %s", error)
        return _answer(500, "A reference panel of this server cannot be read.")
    if found := passing(error):
        logger.error("%s", found.title, exc_info=error)
        # 503 also without room: clients of the API know it as "not accepted, later".
        answer = _answer(503, found.sentence)
        answer.headers["Retry-After"] = str(found.retry_after)
        return answer
    return None


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    return JsonResponse({"message": _MALFORMED, "success": False}, status=400)


def not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    return JsonResponse({"message": "Page Not Found", "success": False}, status=404)


def crashed(request: HttpRequest) -> JsonResponse:
    """500, or 503 for what passes; Django calls this while it handles the exception."""
    if found := passing(sys.exception()):
        logger.error("%s", found.title)
        return JsonResponse(
            {"message": found.sentence, "success": False},
            status=503,
            headers={"Retry-After": str(found.retry_after)},
        )
    return JsonResponse({"message": "Internal Server Error", "success": False}, status=500)


def _answer(status: int, message: str) -> Response:
    return Response({"message": message, "success": False}, status=status)
