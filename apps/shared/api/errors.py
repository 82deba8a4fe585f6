"""What is answered when no view does: JSON below `/api/`, Django's own page elsewhere."""

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.views import defaults

__all__ = ["bad_request", "not_found", "server_error"]


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """400 for a request that Django itself refuses; says nothing about why, the log does."""
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": "Bad request."}, status=400)
    return defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """404 for a path that nothing serves; the body is the one that a missing row has."""
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": "Not found."}, status=404)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """500 for an exception that nothing expected; says nothing about it."""
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": "Internal server error."}, status=500)
    return defaults.server_error(request)
