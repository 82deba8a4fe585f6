"""Logging in and out."""

from datetime import datetime

from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.http import HttpRequest

from apps.shared.api.origin import Origin
from federated_imputation.monolith.accounts.operations.audit import record_audit

__all__ = ["BadCredentials", "check_login"]


class BadCredentials(Exception):
    """Unknown user, wrong password or a disabled account; which of them is not told."""


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
