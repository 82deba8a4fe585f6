"""The node's JSON Web Tokens: session tokens from a login, and API tokens.

Both are HS256 under the node's own secret key. An API token carries `api_hash`, which must equal
the one in its user's row: that is how a token is revoked and how a new one replaces the old.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import jwt
from django.conf import settings

from apps.node.models import User

__all__ = [
    "LONGEST_LIFE",
    "SESSION_LIFE",
    "Claims",
    "TokenRejected",
    "issue_api_token",
    "issue_session_token",
    "read_token",
]

SESSION_LIFE: Final = timedelta(seconds=86_400)
LONGEST_LIFE: Final = timedelta(seconds=2**31 - 1)  # what `expiration=-1` means
_ALGORITHM: Final = "HS256"
_ISSUER: Final = "cloudgene"

TokenType = Literal["API_TOKEN", "ACCESS_TOKEN"]


class TokenRejected(Exception):
    """The text is not a token of this node, or its time is over."""


@dataclass(frozen=True, kw_only=True)
class Claims:
    username: str
    token_type: TokenType
    api_hash: str
    expires_at: datetime


def issue_session_token(user: User, *, now: datetime) -> str:
    """A token that may do all its user may, for `SESSION_LIFE`."""
    return _sign(user, now, SESSION_LIFE, {"token_type": "ACCESS_TOKEN", "api": False})


def issue_api_token(user: User, *, api_hash: str, now: datetime, life: timedelta) -> str:
    """A token for programs, valid while `api_hash` is the one in its user's row."""
    return _sign(user, now, life, {"token_type": "API_TOKEN", "api": True, "api_hash": api_hash})


def read_token(token: str, *, now: datetime) -> Claims:
    """Signature and expiry checked; whether an API token was revoked is not known here.

    Raises:
        TokenRejected: Not signed by this node, malformed, or expired at `now`.
    """
    try:
        claims = jwt.decode(
            token,
            settings.SECRET_KEY,
            algorithms=[_ALGORITHM],
            issuer=_ISSUER,
            # The time is an argument here, so the library's own look at the clock is off.
            options={
                "require": ["exp", "iss", "sub"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except jwt.InvalidTokenError as error:
        raise TokenRejected from error
    token_type, expiry = claims.get("token_type"), claims["exp"]
    if token_type not in {"API_TOKEN", "ACCESS_TOKEN"} or not isinstance(expiry, int):
        raise TokenRejected
    expires_at = datetime.fromtimestamp(expiry, UTC)
    if now >= expires_at:
        raise TokenRejected
    return Claims(
        username=claims["sub"],
        token_type=token_type,
        api_hash=str(claims.get("api_hash", "")),
        expires_at=expires_at,
    )


def _sign(user: User, now: datetime, life: timedelta, extra: dict[str, object]) -> str:
    claims = {
        "sub": user.username,
        "iss": _ISSUER,
        "iat": int(now.timestamp()),
        "exp": int((now + life).timestamp()),
        "username": user.username,
        "name": user.full_name,
        "mail": user.mail,
        **extra,
    }
    return jwt.encode(claims, settings.SECRET_KEY, algorithm=_ALGORITHM)
