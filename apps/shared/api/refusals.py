"""Requests that are answered before anything is done for them."""

from collections.abc import Callable
from typing import cast

from django.core.exceptions import BadRequest
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import get_resolver, get_urlconf

from apps.shared.asgi import Refusal

__all__ = ["RefusalMiddleware"]


class RefusalMiddleware:
    """Gives the answers of `apps.shared.asgi`, and 400 to a NUL in the path or the query.

    No column of the database holds a NUL, so nothing can be found by one; refusing it here spares
    every filter the question. Standing inside the middleware of request ids, headers and errors,
    these answers carry what all others do.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        refusal = getattr(request, "scope", {}).get("refusal")
        if isinstance(refusal, Refusal):
            # The rest of the body may still be on its way, and is nobody's next request.
            return JsonResponse(
                dict(refusal.answer), status=refusal.status, headers={"Connection": "close"}
            )
        query = request.META.get("QUERY_STRING", "")
        if "\0" in request.path or "%00" in query or "\0" in query:
            handler = get_resolver(get_urlconf()).resolve_error_handler(400)
            refuse = cast("Callable[..., HttpResponseBase]", handler)
            return refuse(request, exception=BadRequest())
        return self._get_response(request)
