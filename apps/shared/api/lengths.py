"""Bodies that come in chunks (RFC 9112 7.1) and do not say how long they are."""

import os
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

__all__ = ["BodyLengthMiddleware"]


class BodyLengthMiddleware:
    """Says the length of a body that came in chunks; it is known by now.

    Django and Django REST framework take a body without a length for none, and an upload in chunks
    would be told that its file is missing.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        body = getattr(request, "_stream", None)
        if "HTTP_TRANSFER_ENCODING" in request.META and body is not None and body.seekable():
            body.seek(0, os.SEEK_END)
            request.META["CONTENT_LENGTH"] = str(body.tell())
            body.seek(0)
        return self._get_response(request)
