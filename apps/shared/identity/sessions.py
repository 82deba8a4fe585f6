"""Session-cookie authentication that asks the browser, not a form field, who sent the request.

No CSRF token is demanded. Instead an unsafe request that another site made with the user's cookie
is refused: browsers tell it in `Sec-Fetch-Site` and in `Origin`, which scripts cannot forge.
Clients that are not browsers send neither and hold no cookies of a stranger.
"""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from drf_spectacular.authentication import SessionScheme
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from apps.contracts.tokens import CREDENTIALS_HEADER, bearer_token

__all__ = ["SameOriginSessionAuthentication", "is_foreign", "refuse_foreign_origin"]

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE"}


class SameOriginSessionAuthentication(SessionAuthentication):
    """The user of the session cookie; 403 for an unsafe request that another site made.

    A request that also carries a token was sent with that token on purpose, while browsers add
    cookies by themselves: the token decides, and the cookie counts for nothing.
    """

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        if bearer_token(request.headers.get(CREDENTIALS_HEADER, "")) is not None:
            return None
        return super().authenticate(request)

    def enforce_csrf(self, request: Request | HttpRequest) -> None:
        refuse_foreign_origin(request)


class _SameOriginSessionScheme(SessionScheme):  # type: ignore[no-untyped-call]
    """Tells the OpenAPI generator that this, too, is a session cookie."""

    target_class = "apps.shared.identity.sessions.SameOriginSessionAuthentication"


def refuse_foreign_origin(request: Request | HttpRequest) -> None:
    """Let safe requests and those of our own pages pass.

    Raises:
        PermissionDenied: A page of another site made this unsafe request.
    """
    if request.method in _SAFE_METHODS:
        return
    if is_foreign(
        site=request.headers.get("Sec-Fetch-Site", ""),
        origin=request.headers.get("Origin", ""),
        own=f"{request.scheme}://{request.get_host()}",
        trusted=settings.CSRF_TRUSTED_ORIGINS,
    ):
        raise PermissionDenied("The request was made by a page of another site.")


def is_foreign(*, site: str, origin: str, own: str, trusted: list[str]) -> bool:
    """Whether the headers say that a page of another site made the request.

    Args:
        site: `Sec-Fetch-Site`, '' when absent (https://www.w3.org/TR/fetch-metadata/ 2.3).
        origin: `Origin`, '' when absent (RFC 6454 7).
        own: Scheme and host under which the request arrived.
        trusted: Other origins whose pages may act for their users.
    """
    if origin in trusted:
        return False
    if site:
        return site.lower() not in {"same-origin", "none"}
    return bool(origin) and origin != own
