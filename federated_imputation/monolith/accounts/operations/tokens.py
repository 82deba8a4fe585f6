"""The life of a login by token.

A login opens a *family* and issues a first pair: an access token and a refresh token. Each use of
the refresh token replaces it: of all that were ever issued the family names one as usable, and
naming the next is one compare-and-set. Whoever comes with another one, a thief or the robbed
owner, ends the family, since nobody can tell which of them it was. So of two concurrent uses one
gets a pair, and that pair is dead at once too.

A family also ends by logout, by a newer login in the same session, by handing in its refresh
token, and by a new password. An end is never taken back. A password that was changed by other
means ends nothing here: the tokens carry a digest that no longer fits. So they do while the user
is deactivated, when the database ends the families too (migration 0012).
"""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import transaction

from apps.contracts.tokens import ACCESS_LIFETIME, REFRESH_LIFETIME, Claims, TokenType
from apps.shared.api.origin import Origin
from apps.shared.identity.tokens import BadToken, SigningPair, sign
from federated_imputation.monolith.accounts.models import RevokedToken, TokenFamily
from federated_imputation.monolith.accounts.operations.audit import record_audit
from federated_imputation.monolith.accounts.operations.keys import get_signing_pair
from federated_imputation.monolith.accounts.queries.tokens import (
    digest_of,
    fits_user,
    read_token,
)

__all__ = [
    "IssuedTokens",
    "end_families",
    "end_family",
    "end_login",
    "end_sessions",
    "open_family",
    "refresh_tokens",
    "revoke_token",
]

Ending = TokenFamily.Ending


@dataclass(frozen=True, kw_only=True)
class IssuedTokens:
    """A pair of tokens, for the eyes of the one who asked for it."""

    family: UUID
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


def open_family(
    *, user: User, session_key: str, replaces: UUID | None, now: datetime
) -> IssuedTokens:
    """Begin a login by token for a user whose password was just checked.

    Args:
        session_key: Of the session that the same login started; '' for none.
        replaces: The family that this session had before, which ends.
    """
    pair = get_signing_pair(now=now)
    token_id = _new_token_id()
    with transaction.atomic():
        if replaces is not None:
            end_family(family=replaces, user_id=user.pk, because=Ending.REPLACED, now=now)
        family = TokenFamily.objects.create(
            user=user,
            current_jti=token_id,
            session_key=session_key,
            created_at=now,
            refreshed_at=now,
            expires_at=now + REFRESH_LIFETIME,
        )
    return _issue(user=user, family=family.pk, token_id=token_id, pair=pair, now=now)


def refresh_tokens(*, token: str, origin: Origin, now: datetime) -> IssuedTokens:
    """Exchange a refresh token for a new pair; it can be used once.

    Raises:
        BadToken: It is not in force. If it was used before, its family has ended with this.
    """
    claims = read_token(token, token_type=TokenType.REFRESH)
    user = User.objects.filter(pk=claims.user_id).first()
    if user is None or not fits_user(claims.digest, user):
        raise BadToken
    pair = get_signing_pair(now=now)
    token_id = _new_token_id()
    live = TokenFamily.objects.filter(
        pk=claims.family, user_id=claims.user_id, revoked_at__isnull=True, expires_at__gt=now
    )
    if not live.filter(current_jti=claims.token_id).update(
        current_jti=token_id, refreshed_at=now, expires_at=now + REFRESH_LIFETIME
    ):
        _end_reused(claims, origin=origin, now=now)
        raise BadToken
    return _issue(user=user, family=claims.family, token_id=token_id, pair=pair, now=now)


def revoke_token(*, token: str, origin: Origin, now: datetime) -> None:
    """Put an access token out of force, or a refresh token with its family (RFC 7009 2.1).

    Whoever holds one may do that. A text that is no such token, or has expired, is left alone.
    """
    try:
        claims = read_token(token)
    except BadToken:
        return
    with transaction.atomic():
        if claims.token_type is TokenType.ACCESS:
            _, changed = RevokedToken.objects.get_or_create(
                jti=claims.token_id, defaults={"expires_at": claims.expires_at}
            )
        else:
            changed = end_family(
                family=claims.family, user_id=claims.user_id, because=Ending.REVOKED, now=now
            )
        if changed:
            record_audit(
                action="revoke_token",
                user_id=claims.user_id,
                origin=origin,
                resource_type=f"{claims.token_type}_token",
                resource_id=str(claims.family),
                now=now,
            )


@transaction.atomic
def end_login(
    *, user_id: int, family: UUID | None, everywhere: bool, origin: Origin, now: datetime
) -> None:
    """End one login or all of a user: tokens, sessions; audited. API tokens are not logins.

    Args:
        family: That of the one login, which ends with its session. `None` for a session that
            began without tokens; the caller ends that one.
        everywhere: End all families and all sessions of the user.
    """
    if everywhere:
        end_families(user_id=user_id, because=Ending.LOGOUT, now=now)
        end_sessions(user_id=user_id, now=now)
    elif family is not None:
        end_family(family=family, user_id=user_id, because=Ending.LOGOUT, now=now)
        own = TokenFamily.objects.filter(pk=family, user_id=user_id)
        Session.objects.filter(session_key__in=own.values("session_key")).delete()
    record_audit(
        action="logout",
        user_id=user_id,
        origin=origin,
        resource_type="user",
        resource_id=str(user_id),
        details={"everywhere": True} if everywhere else {},
        now=now,
    )


def end_sessions(*, user_id: int, now: datetime) -> None:
    """Delete all sessions of a user. Whose one is stands in its text: no column tells."""
    for session in Session.objects.filter(expire_date__gt=now).iterator():
        if session.get_decoded().get(SESSION_KEY) == str(user_id):
            session.delete()


def end_families(*, user_id: int, because: TokenFamily.Ending, now: datetime) -> None:
    """End all logins by token of a user."""
    TokenFamily.objects.filter(user_id=user_id, revoked_at__isnull=True).update(
        revoked_at=now, revoked_because=because
    )


def end_family(*, family: UUID, user_id: int, because: TokenFamily.Ending, now: datetime) -> bool:
    """End a family of this user; False when it had ended before, or there is none."""
    return bool(
        TokenFamily.objects.filter(pk=family, user_id=user_id, revoked_at__isnull=True).update(
            revoked_at=now, revoked_because=because
        )
    )


def _end_reused(claims: Claims, *, origin: Origin, now: datetime) -> None:
    """End the family of a refresh token that is not, or no longer, the usable one."""
    reused = TokenFamily.objects.filter(
        pk=claims.family, user_id=claims.user_id, revoked_at__isnull=True
    ).exclude(current_jti=claims.token_id)
    with transaction.atomic():
        if reused.update(revoked_at=now, revoked_because=Ending.REUSED):
            record_audit(
                action="reuse_token",
                user_id=claims.user_id,
                origin=origin,
                resource_type="refresh_token",
                resource_id=str(claims.family),
                now=now,
            )


def _issue(
    *, user: User, family: UUID, token_id: str, pair: SigningPair, now: datetime
) -> IssuedTokens:
    def token(token_type: TokenType, token_id: str, expires_at: datetime) -> str:
        claims = Claims(
            token_type=token_type,
            user_id=user.pk,
            family=family,
            token_id=token_id,
            digest=digest_of(user),
            issued_at=now,
            expires_at=expires_at,
        )
        return sign(claims, pair=pair)

    return IssuedTokens(
        family=family,
        access_token=token(TokenType.ACCESS, _new_token_id(), now + ACCESS_LIFETIME),
        refresh_token=token(TokenType.REFRESH, token_id, now + REFRESH_LIFETIME),
    )


def _new_token_id() -> str:
    return uuid.uuid4().hex
