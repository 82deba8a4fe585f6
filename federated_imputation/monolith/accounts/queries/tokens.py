"""Whether a token is in force now: one look at the database beside its signature."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Exists, QuerySet

from apps.contracts.tokens import Claims, TokenType
from apps.shared.identity.grants import AccessGrant, ApiTokenGrant
from apps.shared.identity.tokens import BadToken, user_digest, verify
from federated_imputation.monolith.accounts.api_tokens import is_api_token
from federated_imputation.monolith.accounts.models import ApiToken, RevokedToken, TokenFamily
from federated_imputation.monolith.accounts.queries.keys import verifying_keys

__all__ = [
    "Bearer",
    "digest_of",
    "find_bearer",
    "fits_user",
    "live_api_tokens",
    "read_token",
    "sha256_of",
]


@dataclass(frozen=True, kw_only=True)
class Bearer:
    """Whom a token lets in, and as what.

    Attributes:
        last_used_at: Of an API token, as far as it was noted before.
    """

    user: User
    grant: AccessGrant | ApiTokenGrant
    last_used_at: datetime | None = None


def find_bearer(*, token: str, now: datetime) -> Bearer:
    """Who sent this access token or API token.

    Logout, a changed password by whatever means, deactivation and revocation are in force here as
    soon as they are committed.

    Raises:
        BadToken: It is neither, or it is not in force at `now`.
    """
    return _by_api_token(token, now) if is_api_token(token) else _by_access_token(token, now)


def read_token(token: str, *, token_type: TokenType | None = None) -> Claims:
    """The claims of a token that one of our keys signed.

    Raises:
        BadToken: See `apps.shared.identity.tokens.verify`.
    """
    return verify(token, find_key=verifying_keys, token_type=token_type)


def digest_of(user: User, *, password_hash: str | None = None) -> str:
    """What ties a token to the password and the state that `user` has in memory.

    Args:
        password_hash: Another one than `user` has.
    """
    return user_digest(
        key=settings.TOKEN_DIGEST_KEY,
        user_id=user.pk,
        password_hash=user.password if password_hash is None else password_hash,
        is_active=user.is_active,
    )


def fits_user(digest: str, user: User) -> bool:
    """Whether the user is active and has the password for which the token was made."""
    return user.is_active and hmac.compare_digest(digest, digest_of(user))


def live_api_tokens(*, user: User, now: datetime) -> QuerySet[ApiToken]:
    """Those of the user that would let a script in at `now`, the newest first."""
    return user.api_tokens.filter(
        revoked_at__isnull=True, expires_at__gt=now, user_digest=digest_of(user)
    ).order_by("-created_at", "-id")


def sha256_of(token: str) -> str:
    """How an API token is kept: 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def _by_access_token(token: str, now: datetime) -> Bearer:
    claims = read_token(token, token_type=TokenType.ACCESS)
    family = (
        TokenFamily.objects.select_related("user")
        .filter(
            ~Exists(RevokedToken.objects.filter(jti=claims.token_id)),
            pk=claims.family,
            user_id=claims.user_id,
            revoked_at__isnull=True,
            expires_at__gt=now,
        )
        .first()
    )
    if family is None or not fits_user(claims.digest, family.user):
        raise BadToken
    return Bearer(
        user=family.user, grant=AccessGrant(family=claims.family, token_id=claims.token_id)
    )


def _by_api_token(token: str, now: datetime) -> Bearer:
    found = (
        ApiToken.objects.select_related("user")
        .filter(sha256=sha256_of(token), revoked_at__isnull=True, expires_at__gt=now)
        .first()
    )
    if found is None or not fits_user(found.user_digest, found.user):
        raise BadToken
    return Bearer(
        user=found.user,
        grant=ApiTokenGrant(token_id=found.pk, scopes=frozenset(found.scopes)),
        last_used_at=found.last_used_at,
    )
