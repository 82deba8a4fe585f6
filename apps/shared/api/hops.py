"""What is believed about a request before anything looks at it."""

from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.shared.api.addresses import client_address, is_within

__all__ = ["UNKNOWN_PROXY", "TrustedHopsMiddleware"]

UNKNOWN_PROXY: Final = "hops.unknown_proxy"
_FOR: Final = "HTTP_X_FORWARDED_FOR"
_PROTO: Final = "HTTP_X_FORWARDED_PROTO"
_OF_PROXIES: Final = (_FOR, _PROTO, "HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP")
# Words about who the client is that only a signed token may say.
_IDENTITY: Final = ("HTTP_REMOTE_USER", "HTTP_X_REMOTE_USER", "HTTP_X_FORWARDED_USER")
_IDENTITY_PREFIXES: Final = ("HTTP_X_USER_", "HTTP_X_AUTH_REQUEST_")


class TrustedHopsMiddleware:
    """Stands first: behind it `REMOTE_ADDR` is the client's and the scheme is what it used.

    `X-Forwarded-For` and `X-Forwarded-Proto` count only from `TRUSTED_PROXIES`. The first is taken
    away in any case, the second unless a trusted peer said it; headers in which a client names
    itself go too. `META[UNKNOWN_PROXY]` tells whether a peer that is not trusted forwarded the
    request, so that its address may be anybody's. NUL in a header is a space (RFC 9110 5.5), since
    no database column holds it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        meta = request.META
        peer = meta.get("REMOTE_ADDR") or ""
        trusted = is_within(peer, settings.TRUSTED_PROXIES)
        meta[UNKNOWN_PROXY] = not trusted and any(name in meta for name in _OF_PROXIES)
        meta["REMOTE_ADDR"] = meta["REMOTE_HOST"] = client_address(
            peer=peer, forwarded_for=meta.pop(_FOR, ""), trusted=settings.TRUSTED_PROXIES
        )
        proto = meta.pop(_PROTO, "").rpartition(",")[2].strip().lower()
        if trusted and proto in {"http", "https"}:
            meta[_PROTO] = proto
        for name in [name for name in meta if name.startswith("HTTP_")]:
            if name in _IDENTITY or name.startswith(_IDENTITY_PREFIXES):
                del meta[name]
            elif "\0" in meta[name]:
                meta[name] = meta[name].replace("\0", " ")
        return self._get_response(request)
