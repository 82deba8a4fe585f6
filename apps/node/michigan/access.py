"""Who may call what: API tokens for the work of programs, session tokens for all of a user's own.

A missing, malformed, expired or revoked token is no token: 401 where one is needed. A valid token
of the wrong kind is 403.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.node.models import User
from apps.node.queries import get_token_owner
from apps.node.tokens import Claims, TokenRejected

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

__all__ = ["HEADER", "AnyToken", "Anyone", "SessionToken", "TokenAuthentication", "caller"]

HEADER = "X-Auth-Token"


class TokenAuthentication(BaseAuthentication):
    """Reads `X-Auth-Token`, which carries the bare token."""

    def authenticate(self, request: Request) -> tuple["AbstractBaseUser", Claims] | None:
        token = request.headers.get(HEADER, "")
        if not token:
            return None
        try:
            user, claims = get_token_owner(token, now=timezone.now())
        except TokenRejected:
            return None
        return cast("AbstractBaseUser", user), claims

    def authenticate_header(self, request: Request) -> str:
        return HEADER


class Anyone(BasePermission):
    """No token needed."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return True


class AnyToken(BasePermission):
    """A session token or an API token."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.auth, Claims)


class SessionToken(BasePermission):
    """The token of a login; an API token is refused."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        claims = request.auth
        return isinstance(claims, Claims) and claims.token_type == "ACCESS_TOKEN"  # noqa: S105


@dataclass(frozen=True, kw_only=True)
class Caller:
    user: User
    claims: Claims


def caller(request: Request) -> Caller | None:
    """Who sent the request, if a valid token says so."""
    if not isinstance(request.auth, Claims):
        return None
    return Caller(user=cast("User", request.user), claims=request.auth)
