"""Logging in and out."""

from datetime import datetime

from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.http import HttpRequest

from apps.shared.api.origin import Origin
from federated_imputation.monolith.accounts.operations.audit import record_audit

__all__ = ["BadCredentials", "check_login", "record_logout"]


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
        known = User.objects.filter(username=username).first()
        record_audit(
            action="login_failed",
            user_id=known.pk if known else None,
            resource_type="user",
            resource_id=str(known.pk) if known else "",
            details={"username": username[:150]},
            origin=origin,
            now=now,
        )
        raise BadCredentials
    record_audit(
        action="login",
        user_id=user.pk,
        resource_type="user",
        resource_id=str(user.pk),
        origin=origin,
        now=now,
    )
    return user


def record_logout(*, user_id: int, origin: Origin, now: datetime) -> None:
    """Audit that a user ended the session."""
    record_audit(
        action="logout",
        user_id=user_id,
        resource_type="user",
        resource_id=str(user_id),
        origin=origin,
        now=now,
    )
