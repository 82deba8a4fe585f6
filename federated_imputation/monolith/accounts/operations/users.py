"""Writes of users by those who manage them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from apps.shared.api.origin import Origin
from apps.shared.identity.passwords import refuse_weak
from federated_imputation.monolith.accounts.operations.administrators import (
    keeping_an_administrator,
    refuse_reaching_above,
)
from federated_imputation.monolith.accounts.operations.audit import record_audit
from federated_imputation.monolith.accounts.operations.changes import Changes, changes_to, told
from federated_imputation.monolith.accounts.operations.erasure import forget_user_rights
from federated_imputation.monolith.accounts.operations.profiles import create_profile
from federated_imputation.monolith.accounts.operations.refusals import InvalidFields, Unknown
from federated_imputation.monolith.accounts.operations.tokens import end_sessions
from federated_imputation.monolith.accounts.rights import Rights
from federated_imputation.monolith.deletions import operations as deletions
from federated_imputation.monolith.deletions.queries import Kind, Subject, is_being_deleted

__all__ = ["create_user", "delete_user", "reset_password", "toggle_active", "update_user"]

_FLAGS: Final = frozenset({"is_active", "is_staff", "is_superuser"})
_OF_SUPERUSERS: Final = frozenset({"is_staff", "is_superuser"})


def create_user(
    *,
    wanted: Mapping[str, Any],
    password: str,
    profile: Mapping[str, Any] | None,
    by: Rights,
    origin: Origin,
    now: datetime,
) -> User:
    """Make a user who can log in, with a profile when one is given.

    Args:
        wanted: Fields of the user; the username at least.

    Raises:
        PermissionDenied: The caller may not set a flag that is set.
        InvalidFields: The username is taken, or the role does not exist.
        rest_framework.serializers.ValidationError: The password breaks a rule.
    """
    user = User(date_joined=now)
    changes = changes_to(user, wanted)
    _refuse_flags(changes, by=by)
    for name, (_, new) in changes.items():
        setattr(user, name, new)
    refuse_weak(password, user=user)
    user.password = make_password(password)
    with transaction.atomic():
        _save(user)
        _audit("create_user", user, changes, by=by, origin=origin, now=now)
        if profile is not None:
            create_profile(user_id=user.pk, wanted=profile, by=by, origin=origin, now=now)
    return user


def update_user(
    user_id: int, *, wanted: Mapping[str, Any], by: Rights, origin: Origin, now: datetime
) -> User:
    """Write the fields whose wanted value differs from the one they have.

    Raises:
        Unknown: There is no such user.
        PermissionDenied: The user is a superuser and the caller is not, the caller may not set a
            flag, or wants to deactivate himself.
        InvalidFields: The username is taken.
        Conflict: Nobody would be left who may manage users.
    """
    with keeping_an_administrator():
        user = _locked(user_id, by=by)
        changes = changes_to(user, wanted)
        _change(user, changes, "update_user", by=by, origin=origin, now=now)
    return user


def toggle_active(user_id: int, *, by: Rights, origin: Origin, now: datetime) -> User:
    """Deactivate an active user, activate one who is not; in force at the next request.

    What the user had opened ends for good with deactivation.

    Raises:
        Unknown, PermissionDenied, Conflict: As `update_user`.
    """
    with keeping_an_administrator():
        user = _locked(user_id, by=by)
        changes = changes_to(user, {"is_active": not user.is_active})
        _change(user, changes, "toggle_user_active", by=by, origin=origin, now=now)
    return user


def delete_user(user_id: int, *, by: Rights, origin: Origin, now: datetime) -> None:
    """Begin to delete a user with all that is theirs; the audit log stays.

    Nobody sees the user or their jobs from now on, nothing lets them in, and the name is free. What
    runs at services is cancelled before the jobs go.

    Raises:
        Unknown: There is no such user, or they are being deleted already.
        PermissionDenied: The user is a superuser and the caller is not, or is the caller.
        Conflict: Nobody would be left who may manage users.
    """
    with keeping_an_administrator():
        user = _locked(user_id, by=by)
        if user_id == by.user_id:
            raise PermissionDenied("Nobody may delete himself.")
        _audit("delete_user", user, {}, by=by, origin=origin, now=now)
        user.is_active = False
        user.username = f"~{user_id}"  # which nobody may choose
        user.save(update_fields=["is_active", "username"])
        end_sessions(user_id=user_id, now=now)
        forget_user_rights(user_id=user_id)
        deletions.begin(Subject(kind=Kind.USER, id=user_id), asked_by=by.user_id, now=now)


def reset_password(
    user_id: int, *, new_password: str, by: Rights, origin: Origin, now: datetime
) -> None:
    """Give a user another password; all that was opened with the old one ends.

    Raises:
        Unknown: There is no such user.
        PermissionDenied: The user is a superuser and the caller is not.
        rest_framework.serializers.ValidationError: The password breaks a rule.
    """
    with transaction.atomic():
        user = _locked(user_id, by=by)
        refuse_weak(new_password, user=user, field="new_password")
        user.password = make_password(new_password)
        user.save(update_fields=["password"])
        _audit("reset_password", user, {}, by=by, origin=origin, now=now)


def _locked(user_id: int, *, by: Rights) -> User:
    user = User.objects.select_for_update(no_key=True).filter(pk=user_id).first()
    if user is None or is_being_deleted(Subject(kind=Kind.USER, id=user_id)):
        raise Unknown
    refuse_reaching_above(by, user)
    return user


def _change(
    user: User, changes: Changes, action: str, *, by: Rights, origin: Origin, now: datetime
) -> None:
    _refuse_flags(changes, by=by)
    if "is_active" in changes and user.pk == by.user_id:
        raise PermissionDenied("Nobody may deactivate himself.")
    for name, (_, new) in changes.items():
        setattr(user, name, new)
    _save(user, update_fields=[*changes])
    if not user.is_active:
        end_sessions(user_id=user.pk, now=now)
    _audit(action, user, changes, by=by, origin=origin, now=now)


def _refuse_flags(changes: Changes, *, by: Rights) -> None:
    flags = sorted(_OF_SUPERUSERS & changes.keys())
    if flags and not by.is_superuser:
        raise PermissionDenied(f"Only a superuser may change: {', '.join(flags)}.")


def _save(user: User, *, update_fields: list[str] | None = None) -> None:
    try:
        with transaction.atomic():
            user.save(update_fields=update_fields)
    except IntegrityError:
        raise InvalidFields({"username": ["A user with that username already exists."]}) from None


def _audit(
    action: str, user: User, changes: Changes, *, by: Rights, origin: Origin, now: datetime
) -> None:
    record_audit(
        action=action,
        user_id=by.user_id,
        resource_type="user",
        resource_id=str(user.pk),
        details={"username": user.username, **told(changes, with_values=_FLAGS)},
        origin=origin,
        now=now,
    )
