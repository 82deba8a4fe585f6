"""Logging in and out."""

from datetime import datetime

from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest

from apps.shared.api.origin import Origin
from apps.shared.limits.backend import unlock_account
from apps.shared.limits.passwords import forget_password_attempts
from federated_imputation.monolith.accounts.operations.audit import record_audit
from federated_imputation.monolith.accounts.rights import Rights

__all__ = ["BadCredentials", "LimitsAway", "check_login", "unlock_user"]


class BadCredentials(Exception):
    """Unknown user, wrong password or a disabled account; which of them is not told."""


class LimitsAway(Exception):
    """Raised with a sentence: Redis does not answer, and what it counted still counts."""


def check_login(*, username: str, password: str, origin: Origin, now: datetime) -> User:
    """Return the active user who has this password; success and failure are audited.

    Raises:
        BadCredentials: There is none.
        apps.shared.limits.passwords.TooManyAttempts: No password is checked now.
    """
    request = HttpRequest()  # the guard of passwords looks at the address alone
    request.META["REMOTE_ADDR"] = origin.address or ""
    user = authenticate(request, username=username, password=password)
    if not isinstance(user, User):
        record_login_failure(username=username, origin=origin, now=now)
        raise BadCredentials
    record_login(user_id=user.pk, origin=origin, now=now)
    return user


@transaction.atomic
def unlock_user(user_id: int, *, by: Rights, origin: Origin, now: datetime) -> int:
    """Forget the wrong passwords of a user, so that a right one is looked at again; audited.

    What was counted for an address alone stays: it is not the user's.

    Returns:
        At how many addresses there were failures.

    Raises:
        User.DoesNotExist: There is no such user.
        LimitsAway: Redis does not answer; nothing was changed.
    """
    user = User.objects.get(pk=user_id)
    forgotten = unlock_account(user.username)
    record_audit(
        action="unlock_user",
        user_id=by.user_id,
        resource_type="user",
        resource_id=str(user_id),
        origin=origin,
        now=now,
    )
    if not forget_password_attempts(account=user.username):
        raise LimitsAway("Redis does not answer: what it counted still counts. Try again.")
    return forgotten


def record_login(*, user_id: int, origin: Origin, now: datetime) -> None:
    """Audit that a user logged in."""
    _record("login", user_id, origin=origin, now=now)


def record_login_failure(*, username: str, origin: Origin, now: datetime) -> None:
    """Audit that a password did not fit; with the user when the name is one's."""
    _record_of_a_name("login_failed", username, origin=origin, now=now)


def record_lockout(*, username: str, origin: Origin, now: datetime) -> None:
    """Audit that too many passwords did not fit; with the user when the name is one's."""
    _record_of_a_name("login_locked", username, origin=origin, now=now)


def record_logout(*, user_id: int, origin: Origin, now: datetime) -> None:
    """Audit that a user ended the session."""
    _record("logout", user_id, origin=origin, now=now)


def _record_of_a_name(action: str, username: str, *, origin: Origin, now: datetime) -> None:
    known = User.objects.filter(username=username).first()
    user_id = known.pk if known else None
    _record(action, user_id, origin=origin, now=now, details={"username": username[:150]})


def _record(
    action: str,
    user_id: int | None,
    *,
    origin: Origin,
    now: datetime,
    details: dict[str, str] | None = None,
) -> None:
    record_audit(
        action=action,
        user_id=user_id,
        resource_type="user",
        resource_id="" if user_id is None else str(user_id),
        details=details,
        origin=origin,
        now=now,
    )
