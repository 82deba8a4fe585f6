"""What is answered when no view does: JSON below `/api/`, Django's own page elsewhere."""

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.views import defaults

__all__ = ["not_found", "server_error"]


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
