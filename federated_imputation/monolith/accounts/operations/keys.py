"""The life of a signing key.

A key is made as `next`: published, so that every verifier knows it before it signs anything. It
becomes `current` and signs. The next rotation makes it `previous`: it signs nothing more, and
verifies until the last refresh token that it signed has expired; a rotation after that deletes
it. There is one `current` and one `next` as soon as anybody needs one. A key that leaked is
deleted at once, in whatever state, and all that it signed dies with it.

Each change is one transaction under one lock, so a crash leaves the keys as they were, and
processes that start together make one pair of keys.
"""

from datetime import datetime, timedelta

from django.db import connection, transaction

from apps.contracts.tokens import REFRESH_LIFETIME
from apps.shared.identity.tokens import SigningPair
from federated_imputation.monolith.accounts.keys import make_key
from federated_imputation.monolith.accounts.models import SigningKey
from federated_imputation.monolith.accounts.operations.audit import record_audit
from federated_imputation.monolith.accounts.queries.keys import find_signing_pair
from federated_imputation.monolith.accounts.secrets import encrypt

__all__ = ["UnknownKey", "ensure_keys", "get_signing_pair", "revoke_key", "rotate_keys"]

State = SigningKey.State

# A number of our own among the advisory locks of the database.
_LOCK = 7_201_938_455
# A login that read the key just before its rotation may sign with it just after.
_LATE_SIGNATURES = timedelta(hours=1)


class UnknownKey(Exception):
    """No key has this `kid`."""


def get_signing_pair(*, now: datetime) -> SigningPair:
    """The key that signs; made when there is none yet."""
    pair = find_signing_pair()
    while pair is None:
        ensure_keys(now=now)
        pair = find_signing_pair()
    return pair


def ensure_keys(*, now: datetime) -> None:
    """Make what is missing of the current and the next key; else no more than a look."""
    needed = [State.CURRENT, State.NEXT]
    if SigningKey.objects.filter(state__in=needed).count() < len(needed):
        with transaction.atomic():
            _lock()
            _complete(now=now)


@transaction.atomic
def rotate_keys(*, now: datetime) -> SigningKey:
    """Let the next key sign from now on, publish a new next one, and return the one that signs."""
    _lock()
    _complete(now=now)
    SigningKey.objects.filter(state=State.CURRENT).update(state=State.PREVIOUS, retired_at=now)
    _complete(now=now)
    SigningKey.objects.filter(
        state=State.PREVIOUS, retired_at__lt=now - REFRESH_LIFETIME - _LATE_SIGNATURES
    ).delete()
    return _audit_current("rotate_keys", now=now)


@transaction.atomic
def revoke_key(*, kid: str, now: datetime) -> SigningKey:
    """Delete a key, so that nothing signed by it is valid any more; return the one that signs.

    Raises:
        UnknownKey: There is none with this `kid`.
    """
    _lock()
    deleted, _ = SigningKey.objects.filter(kid=kid).delete()
    if not deleted:
        raise UnknownKey(kid)
    _complete(now=now)
    return _audit_current("revoke_key", now=now, revoked=kid)


def _lock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def _complete(*, now: datetime) -> None:
    """Promote the next key when none signs, and make a new next one; the caller has the lock."""
    if not SigningKey.objects.filter(state=State.CURRENT).exists():
        upcoming = SigningKey.objects.filter(state=State.NEXT).first() or _make(now=now)
        upcoming.state, upcoming.activated_at = State.CURRENT, now
        upcoming.save(update_fields=["state", "activated_at"])
    if not SigningKey.objects.filter(state=State.NEXT).exists():
        _make(now=now)


def _make(*, now: datetime) -> SigningKey:
    key = make_key()
    return SigningKey.objects.create(
        kid=key.kid,
        state=State.NEXT,
        encrypted=encrypt(key.private_pem),
        public_jwk=key.public_jwk,
        created_at=now,
    )


def _audit_current(action: str, *, now: datetime, **details: str) -> SigningKey:
    current = SigningKey.objects.get(state=State.CURRENT)
    record_audit(
        action=action,
        user_id=None,
        origin=None,
        resource_type="signing_key",
        resource_id=current.kid,
        details=details,
        now=now,
    )
    return current
