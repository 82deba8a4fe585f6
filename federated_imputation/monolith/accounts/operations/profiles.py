"""Writes of profiles: what people tell of themselves, and what those who manage users grant."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from apps.shared.api.origin import Origin
from federated_imputation.monolith.accounts.models import UserProfile, UserRole
from federated_imputation.monolith.accounts.operations.administrators import (
    keeping_an_administrator,
    refuse_reaching_above,
)
from federated_imputation.monolith.accounts.operations.audit import record_audit
from federated_imputation.monolith.accounts.operations.changes import Changes, changes_to, told
from federated_imputation.monolith.accounts.operations.refusals import InvalidFields, Unknown
from federated_imputation.monolith.accounts.queries.people import profiles, users
from federated_imputation.monolith.accounts.quotas import begin_month
from federated_imputation.monolith.accounts.rights import Capability, Rights

__all__ = [
    "PRIVILEGED",
    "create_profile",
    "delete_profile",
    "reset_quota",
    "update_profile",
    "verify_profile",
]

# The fields that nobody may grant himself.
PRIVILEGED: Final = frozenset(
    {
        "monthly_job_limit",
        "monthly_jobs_used",
        "role_id",
        "storage_limit_gb",
        "storage_used_gb",
        "user_id",
        "is_verified",
        "verification_date",
    }
)


@transaction.atomic
def create_profile(
    *, user_id: int, wanted: Mapping[str, Any], by: Rights, origin: Origin, now: datetime
) -> UserProfile:
    """Make the profile of a user who has none.

    Args:
        user_id: Whose it is, unless `wanted` names another.

    Raises:
        PermissionDenied: A privileged field differs from what everybody gets, or the user is a
            superuser, and the caller may not write that.
        InvalidFields: The user or the role does not exist, or the user has a profile.
    """
    profile = UserProfile(user_id=user_id, created_at=now)
    begin_month(profile, now=now)
    changes = changes_to(profile, wanted)
    _refuse_privileged(changes, by=by)
    _check_role(changes)
    for name, (_, new) in changes.items():
        setattr(profile, name, new)
    user = users().filter(pk=profile.user_id).first()
    if user is None:
        message = f'Invalid pk "{profile.user_id}" - object does not exist.'
        raise InvalidFields({"user": [message]})
    refuse_reaching_above(by, user)
    try:
        with transaction.atomic():
            profile.save(force_insert=True)
    except IntegrityError:
        raise InvalidFields({"user": ["This user has a profile already."]}) from None
    _audit("create_profile", profile, changes, by=by, origin=origin, now=now)
    return profile


def update_profile(
    profile_id: int,
    *,
    wanted: Mapping[str, Any],
    by: Rights,
    origin: Origin,
    now: datetime,
    action: str = "update_profile",
) -> UserProfile:
    """Write the fields whose wanted value differs from the one they have.

    Args:
        action: The word for the audit log.

    Raises:
        Unknown: There is no such profile, or the caller may not see it.
        PermissionDenied: The caller may not write one of the fields that differ.
        InvalidFields: The role does not exist, or the profile should go to another user.
        Conflict: Nobody would be left who may manage users.
    """
    # Others change no role, and need not wait for those who do.
    with keeping_an_administrator() if by.may(Capability.MANAGE_USERS) else transaction.atomic():
        profile = _locked(profile_id, by=by)
        begin_month(profile, now=now)
        changes = changes_to(profile, wanted)
        _refuse_privileged(changes, by=by)
        if "user_id" in changes:
            raise InvalidFields({"user": ["A profile stays with its user."]})
        _check_role(changes)
        for name, (_, new) in changes.items():
            setattr(profile, name, new)
        counted = {"monthly_jobs_used", "jobs_counted_in"}
        profile.save(update_fields={*changes, *counted, "updated_at"})
        _audit(action, profile, changes, by=by, origin=origin, now=now)
    return profile


def reset_quota(profile_id: int, *, by: Rights, origin: Origin, now: datetime) -> UserProfile:
    """Let the month of the profile's user begin anew: no job counts as used.

    Raises:
        As `update_profile`.
    """
    return update_profile(
        profile_id,
        wanted={"monthly_jobs_used": 0},
        by=by,
        origin=origin,
        now=now,
        action="reset_quota",
    )


def verify_profile(profile_id: int, *, by: Rights, origin: Origin, now: datetime) -> UserProfile:
    """Note that the user is who the profile says; the date is that of the last time.

    Raises:
        As `update_profile`.
    """
    return update_profile(
        profile_id,
        wanted={"is_verified": True, "verification_date": now},
        by=by,
        origin=origin,
        now=now,
        action="verify_user",
    )


def delete_profile(profile_id: int, *, by: Rights, origin: Origin, now: datetime) -> None:
    """Delete a profile and with it the user's role; its own user may not, for a role may forbid.

    Raises:
        Unknown: There is no such profile, or the caller may not see it.
        PermissionDenied: The caller may not manage users, or the user is a superuser.
        Conflict: Nobody would be left who may manage users.
    """
    with keeping_an_administrator():
        profile = _locked(profile_id, by=by)
        if not by.may(Capability.MANAGE_USERS):
            raise PermissionDenied("Only those who manage users may delete a profile.")
        _audit("delete_profile", profile, {}, by=by, origin=origin, now=now)
        profile.delete()


def _locked(profile_id: int, *, by: Rights) -> UserProfile:
    profile = profiles(by).select_for_update(of=("self",)).filter(pk=profile_id).first()
    if profile is None:
        raise Unknown
    refuse_reaching_above(by, profile.user)
    return profile


def _refuse_privileged(changes: Changes, *, by: Rights) -> None:
    privileged = sorted(PRIVILEGED & changes.keys())
    if privileged and not by.may(Capability.MANAGE_USERS):
        names = ", ".join(privileged)
        raise PermissionDenied(f"Only those who manage users may change: {names}.")


def _check_role(changes: Changes) -> None:
    """Hold the new role until the transaction ends, so that nobody deletes it meanwhile."""
    role_id = changes.get("role_id", (None, None))[1]
    if role_id is None:
        return
    if not UserRole.objects.select_for_update(no_key=True).filter(pk=role_id).exists():
        message = f'Invalid pk "{role_id}" - object does not exist.'
        raise InvalidFields({"role_id": [message]})


def _audit(
    action: str,
    profile: UserProfile,
    changes: Changes,
    *,
    by: Rights,
    origin: Origin,
    now: datetime,
) -> None:
    details = told(changes, with_values=PRIVILEGED)
    if "role_id" in changes:
        names = dict(UserRole.objects.filter(pk__in=changes["role_id"]).values_list("pk", "name"))
        details["values"]["role"] = [names.get(role_id) for role_id in changes["role_id"]]
    record_audit(
        action=action,
        user_id=by.user_id,
        resource_type="profile",
        resource_id=str(profile.pk),
        details={"user_id": profile.user_id, **details},
        origin=origin,
        now=now,
    )
