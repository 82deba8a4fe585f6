"""API tokens: made by a person for a script, shown once, and dead with the person's password."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from apps.shared.api.origin import Origin
from federated_imputation.monolith.accounts.api_tokens import SHOWN_LENGTH, make_api_token
from federated_imputation.monolith.accounts.models import ApiToken
from federated_imputation.monolith.accounts.operations.audit import record_audit
from federated_imputation.monolith.accounts.operations.refusals import Conflict, Unknown
from federated_imputation.monolith.accounts.queries.tokens import (
    digest_of,
    live_api_tokens,
    sha256_of,
)

__all__ = [
    "MAX_API_TOKENS",
    "NewApiToken",
    "create_api_token",
    "hand_in_api_token",
    "keep_api_tokens",
    "note_use",
    "revoke_api_token",
]

MAX_API_TOKENS = 50
_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class NewApiToken:
    """A token that was just made, and its one showing."""

    row: ApiToken
    token: str = field(repr=False)


@transaction.atomic
def create_api_token(
    *,
    user: User,
    name: str,
    scopes: Iterable[str],
    expires_in_days: int,
    origin: Origin,
    now: datetime,
) -> NewApiToken:
    """Make a token for a user as authenticated for this request.

    It is tied to the password that let the user in, so a change at the same moment ends it too.

    Args:
        scopes: Of `apps.shared.identity.permissions.SCOPES`.

    Raises:
        Conflict: The user has as many as one may have.
    """
    User.objects.select_for_update(no_key=True).get(pk=user.pk)  # counts and adds one by one
    if live_api_tokens(user=user, now=now).count() >= MAX_API_TOKENS:
        raise Conflict(f"There are {MAX_API_TOKENS} API tokens already; revoke one first.")
    token = make_api_token()
    row = ApiToken.objects.create(
        user=user,
        name=name,
        prefix=token[:SHOWN_LENGTH],
        sha256=sha256_of(token),
        scopes=sorted(set(scopes)),
        user_digest=digest_of(user),
        created_at=now,
        expires_at=now + timedelta(days=expires_in_days),
    )
    _audit("create_api_token", row, details={"scopes": row.scopes}, origin=origin, now=now)
    return NewApiToken(row=row, token=token)


@transaction.atomic
def revoke_api_token(*, user: User, token_id: int, origin: Origin, now: datetime) -> None:
    """Put a token of this user out of force.

    Raises:
        Unknown: It is not in force, or not this user's.
    """
    row = live_api_tokens(user=user, now=now).filter(pk=token_id).first()
    if row is None or not _end(row, now=now):
        raise Unknown
    _audit("revoke_api_token", row, origin=origin, now=now)


@transaction.atomic
def hand_in_api_token(*, token: str, origin: Origin, now: datetime) -> None:
    """Put the token out of force that somebody holds, or found; another text is left alone."""
    row = ApiToken.objects.filter(sha256=sha256_of(token), expires_at__gt=now).first()
    if row is not None and _end(row, now=now):
        _audit("revoke_token", row, origin=origin, now=now)


def keep_api_tokens(*, user: User, former_hash: str) -> None:
    """Tie API tokens to the hash that `user` has in memory; of the same password as the former."""
    former = digest_of(user, password_hash=former_hash)
    user.api_tokens.filter(user_digest=former).update(user_digest=digest_of(user))


def note_use(*, token_id: int, last_used_at: datetime | None, now: datetime) -> None:
    """Note that a token let a script in, at most once a minute.

    Args:
        last_used_at: What was noted before, as the caller read it.
    """
    before = now - _NOTED_EVERY
    if last_used_at is None or last_used_at <= before:
        ApiToken.objects.filter(
            Q(last_used_at__isnull=True) | Q(last_used_at__lte=before), pk=token_id
        ).update(last_used_at=now)


def _end(row: ApiToken, *, now: datetime) -> bool:
    """Whether it was in force until now."""
    return bool(ApiToken.objects.filter(pk=row.pk, revoked_at__isnull=True).update(revoked_at=now))


def _audit(
    action: str,
    row: ApiToken,
    *,
    origin: Origin,
    now: datetime,
    details: dict[str, list[str]] | None = None,
) -> None:
    record_audit(
        action=action,
        user_id=row.user_id,
        origin=origin,
        resource_type="api_token",
        resource_id=str(row.pk),
        details=details,
        now=now,
    )
