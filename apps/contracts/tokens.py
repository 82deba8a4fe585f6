"""What a signed token says: the claims that every deployment writes and reads the same way.

A login makes a *family*: one refresh token at a time, replaced at each use, and the short-lived
access tokens that come with them. All are JWTs (RFC 7519) signed with ES256 (RFC 7518 3.4) by the
key that their `kid` names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

__all__ = [
    "ACCESS_LIFETIME",
    "ALGORITHM",
    "AUDIENCE",
    "CHALLENGE_HEADER",
    "CLOCK_TOLERANCE",
    "CREDENTIALS_HEADER",
    "ISSUER",
    "MAX_TOKEN_LENGTH",
    "REFRESH_LIFETIME",
    "SCHEME",
    "BadClaims",
    "Claims",
    "TokenType",
    "bearer_token",
]

ISSUER: Final = "federated-imputation"
AUDIENCE: Final = "api"
ALGORITHM: Final = "ES256"
ACCESS_LIFETIME: Final = timedelta(minutes=15)
REFRESH_LIFETIME: Final = timedelta(days=14)
# How far the clocks of two hosts may be apart.
CLOCK_TOLERANCE: Final = timedelta(seconds=10)
# Ours have about 550 characters; more is not even decoded.
MAX_TOKEN_LENGTH: Final = 2048

CREDENTIALS_HEADER: Final = "Authorization"
CHALLENGE_HEADER: Final = "WWW-Authenticate"
SCHEME: Final = "Bearer"


class TokenType(StrEnum):
    """What a token is for: one type is never accepted in place of the other."""

    ACCESS = "access"
    REFRESH = "refresh"


class BadClaims(ValueError):
    """A claim is missing, or is not what we write."""

    def __init__(self, claim: str) -> None:
        super().__init__(f"The claim {claim!r} is missing or malformed.")
        self.claim = claim


@dataclass(frozen=True, kw_only=True)
class Claims:
    """The content of one token.

    Attributes:
        token_type: `token_type`.
        user_id: `sub`, written as a string (RFC 7519 4.1.2).
        family: `fam`: the login that the token descends from.
        token_id: `jti`: 32 hexadecimal digits.
        digest: `dig`: 64 hexadecimal digits that fit the user's password and state, see
            `apps.shared.identity.tokens.user_digest`.
        issued_at: `iat`, to the second.
        expires_at: `exp`, to the second.
    """

    token_type: TokenType
    user_id: int
    family: UUID
    token_id: str
    digest: str
    issued_at: datetime
    expires_at: datetime

    def to_payload(self) -> dict[str, str | int]:
        """The JWT claims set, with issuer and audience."""
        return {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(self.user_id),
            "iat": int(self.issued_at.timestamp()),
            "exp": int(self.expires_at.timestamp()),
            "jti": self.token_id,
            "token_type": self.token_type.value,
            "fam": str(self.family),
            "dig": self.digest,
        }

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> "Claims":
        """The inverse of `to_payload`; issuer, audience and time are for the verifier to check.

        Raises:
            BadClaims: Something is missing or is of another form than `to_payload` writes.
        """
        return cls(
            token_type=_token_type(payload),
            user_id=_user_id(payload),
            family=_family(payload),
            token_id=_hexadecimal(payload, "jti", digits=32),
            digest=_hexadecimal(payload, "dig", digits=64),
            issued_at=_time(payload, "iat"),
            expires_at=_time(payload, "exp"),
        )


def bearer_token(header: str) -> str | None:
    """The credentials of an `Authorization` header of the Bearer scheme (RFC 6750 2.1).

    Returns:
        '' when the scheme stands alone; `None` for any other scheme and for no header at all.
    """
    scheme, _, credentials = header.strip().partition(" ")
    return credentials.strip() if scheme.lower() == SCHEME.lower() else None


def _text(payload: Mapping[str, Any], claim: str) -> str:
    value = payload.get(claim)
    if not isinstance(value, str):
        raise BadClaims(claim)
    return value


def _token_type(payload: Mapping[str, Any]) -> TokenType:
    try:
        return TokenType(_text(payload, "token_type"))
    except ValueError:
        raise BadClaims("token_type") from None


def _user_id(payload: Mapping[str, Any]) -> int:
    text = _text(payload, "sub")
    # As many digits as an `integer` primary key of PostgreSQL may have.
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and str(int(text)) == text):
        raise BadClaims("sub")
    return int(text)


def _family(payload: Mapping[str, Any]) -> UUID:
    text = _text(payload, "fam")
    try:
        family = UUID(text)
    except ValueError:
        raise BadClaims("fam") from None
    if str(family) != text:
        raise BadClaims("fam")
    return family


def _hexadecimal(payload: Mapping[str, Any], claim: str, *, digits: int) -> str:
    text = _text(payload, claim)
    if len(text) != digits or not set(text) <= set("0123456789abcdef"):
        raise BadClaims(claim)
    return text


def _time(payload: Mapping[str, Any], claim: str) -> datetime:
    value = payload.get(claim)
    if type(value) is not int:  # a bool is an int, a float is no whole second
        raise BadClaims(claim)
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError, ValueError):
        raise BadClaims(claim) from None
