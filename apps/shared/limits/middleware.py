"""429 for a client that asks too often (RFC 6585 4)."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

from apps.shared.api.addresses import block_of
from apps.shared.limits.passwords import TooManyAttempts
from apps.shared.limits.requests import windows_of
from apps.shared.limits.windows import LimitExceeded, limiter_of_this_deployment

__all__ = ["RateLimitMiddleware"]


class RateLimitMiddleware:
    """Counts each request, and answers for views that raise `TooManyAttempts`.

    It stands inside the middleware that serves static files, which are not counted, and outside of
    all that costs a query.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.RATE_LIMITS:
            try:
                _count(request)
            except LimitExceeded as error:
                return _answer(error.wait)
        return self._get_response(request)

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        if isinstance(exception, TooManyAttempts):
            return _answer(exception.wait)
        return None


def _count(request: HttpRequest) -> None:
    limiter = limiter_of_this_deployment()
    counted = windows_of(
        method=request.method or "",
        path=request.path,
        client=block_of(request.META.get("REMOTE_ADDR", "")),
        credential=request.headers.get("Authorization", "")
        or request.COOKIES.get(settings.SESSION_COOKIE_NAME, ""),
    )
    for each in counted:
        limiter.count(each.window, *each.key)


def _answer(wait: int) -> JsonResponse:
    return JsonResponse(
        {
            "error": "Rate limit exceeded",
            "detail": f"Too many requests. Try again in {wait} s.",
        },
        status=429,
        headers={"Retry-After": str(wait)},
    )
