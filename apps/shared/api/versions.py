"""The `API-Version` request header: a client that names a version must name one that exists."""

from collections.abc import Callable

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

__all__ = ["SUPPORTED", "ApiVersionMiddleware"]

SUPPORTED = ("v1", "v2")


class ApiVersionMiddleware:
    """Answers 400 below `/api/` when the header holds anything but `v1` or `v2`; absent is fine."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        version = request.headers.get("API-Version", SUPPORTED[0])
        if request.path.startswith("/api/") and version not in SUPPORTED:
            return JsonResponse(
                {"error": "Unsupported API version", "supported_versions": list(SUPPORTED)},
                status=400,
            )
        return self._get_response(request)
