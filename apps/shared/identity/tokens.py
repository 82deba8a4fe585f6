"""Signing and verifying tokens: pure functions of a token, its claims and keys.

Whether a login was ended since is not in a token; the deployment that owns users knows it.
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import (
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError
from rest_framework_simplejwt.tokens import Token

from apps.contracts.tokens import (
    ALGORITHM,
    AUDIENCE,
    CLOCK_TOLERANCE,
    ISSUER,
    MAX_TOKEN_LENGTH,
    BadClaims,
    Claims,
    TokenType,
)

__all__ = ["BadToken", "FindKey", "SigningPair", "sign", "user_digest", "verify"]

FindKey = Callable[[str], EllipticCurvePublicKey | None]
"""The public key for a `kid`, or None."""

_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class BadToken(Exception):
    """The text is no token of ours that is valid now; why is not told."""


@dataclass(frozen=True, kw_only=True)
class SigningPair:
    """The key that signs: its private part and the name under which verifiers find the other."""

    kid: str
    private: EllipticCurvePrivateKey = field(repr=False)


def sign(claims: Claims, *, pair: SigningPair) -> str:
    """The token that says `claims`, in compact form (RFC 7515 3.1), with its `kid`."""
    return jwt.encode(
        claims.to_payload(), pair.private, algorithm=ALGORITHM, headers={"kid": pair.kid}
    )


def verify(token: str, *, find_key: FindKey, token_type: TokenType | None = None) -> Claims:
    """The claims of a token that is signed, meant for us and not expired.

    The time is the clock's, with `CLOCK_TOLERANCE`.

    Args:
        token_type: What it must be for; `None` accepts both.

    Raises:
        BadToken: It is too long, malformed, of another algorithm, issuer, audience or type,
            expired, from the future, or not signed by a key that `find_key` knows.
    """
    if len(token) > MAX_TOKEN_LENGTH or not _COMPACT.fullmatch(token):
        raise BadToken
    try:
        # simplejwt means its text by a `Token` here.
        payload = _Backend(find_key).decode(token)  # type: ignore[arg-type]
        claims = Claims.from_payload(payload)
    except (TokenBackendError, BadClaims):
        raise BadToken from None
    if token_type not in (None, claims.token_type):
        raise BadToken
    return claims


def user_digest(*, key: str, user_id: int, password_hash: str, is_active: bool) -> str:
    """64 hexadecimal digits that change with the user's password and with the active flag.

    A token carries them, so that it dies with either, by whatever means it was changed.

    Args:
        key: The secret `TOKEN_DIGEST_KEY`: without it nobody can try passwords against a token.
        password_hash: As the database holds it.
    """
    message = f"{user_id}\0{int(is_active)}\0{password_hash}"
    return hmac.digest(key.encode(), message.encode(), hashlib.sha256).hex()


class _Backend(TokenBackend):
    """simplejwt's verification, with the key that the token's own header names."""

    def __init__(self, find_key: FindKey) -> None:
        super().__init__(ALGORITHM, audience=AUDIENCE, issuer=ISSUER, leeway=CLOCK_TOLERANCE)
        self._find_key = find_key

    def get_verifying_key(self, token: Token) -> Any:
        kid = jwt.get_unverified_header(str(token)).get("kid")
        key = self._find_key(kid) if isinstance(kid, str) else None
        if key is None:
            raise TokenBackendError("Token is invalid")
        return key
