"""An upload in chunks is read like any other."""

import json
from io import BytesIO

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse

from apps.shared.api.lengths import BodyLengthMiddleware


def _seen(headers: list[tuple[bytes, bytes]], body: bytes) -> tuple[str, bytes]:
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
    request = ASGIRequest(scope, BytesIO(body))
    BodyLengthMiddleware(lambda _: HttpResponse())(request)
    return request.META.get("CONTENT_LENGTH", ""), request.body


def test_a_body_in_chunks_gets_its_length_and_stays_whole():
    body = json.dumps({"name": "x"}).encode()
    assert _seen([(b"transfer-encoding", b"chunked")], body) == (str(len(body)), body)


def test_a_body_that_tells_its_length_is_left_alone():
    assert _seen([(b"content-length", b"2")], b"{}") == ("2", b"{}")
    assert _seen([], b"") == ("", b"")
