"""Giving and taking rights at one service: permissions of users, groups and their members.

The caller decides who may: everybody who gets here may hand out every right at this service. What
belongs to another service does not exist here. Each change is audited with it or not made.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from apps.shared.api.origin import Origin
from federated_imputation.monolith.accounts.models import (
    ServicePermission,
    ServiceUserGroup,
    ServiceUserGroupMembership,
)
from federated_imputation.monolith.accounts.operations.audit import record_audit
from federated_imputation.monolith.accounts.operations.refusals import InvalidFields, Unknown
from federated_imputation.monolith.accounts.queries import groups_at, permissions_at
from federated_imputation.monolith.accounts.queries.people import users

__all__ = [
    "add_member",
    "change_permission",
    "create_group",
    "delete_group",
    "edit_group",
    "grant_permission",
    "remove_member",
    "revoke_permission",
]


@transaction.atomic
def grant_permission(
    *, service_id: int, values: Mapping[str, Any], by_user_id: int, origin: Origin, now: datetime
) -> ServicePermission:
    """Give a user a right at a service.

    Args:
        values: `user_id` and `permission`; `expires_at` and `is_active` if they are not for ever.

    Raises:
        InvalidFields: There is no such user, they have this right already, or it has ended already.
    """
    permission = ServicePermission(service_id=service_id, granted_at=now)
    return _keep_permission(permission, values, by_user_id=by_user_id, origin=origin, now=now)


@transaction.atomic
def change_permission(
    *,
    service_id: int,
    permission_id: int,
    values: Mapping[str, Any],
    by_user_id: int,
    origin: Origin,
    now: datetime,
) -> ServicePermission:
    """Change what `grant_permission` sets; it counts as granted by whoever changed it last.

    Raises:
        Unknown: The service has no such permission.
        InvalidFields: As for `grant_permission`.
    """
    permission = _locked_permission(service_id=service_id, permission_id=permission_id)
    return _keep_permission(permission, values, by_user_id=by_user_id, origin=origin, now=now)


@transaction.atomic
def revoke_permission(
    *, service_id: int, permission_id: int, by_user_id: int, origin: Origin, now: datetime
) -> None:
    """Delete a permission; groups that shared it lose it too.

    Raises:
        Unknown: The service has no such permission.
    """
    permission = _locked_permission(service_id=service_id, permission_id=permission_id)
    _audit_permission("revoke_permission", permission, by_user_id, origin, now)
    permission.delete()


@transaction.atomic
def create_group(
    *, service_id: int, values: Mapping[str, Any], by_user_id: int, origin: Origin, now: datetime
) -> ServiceUserGroup:
    """Make a group of users of a service.

    Args:
        values: `name`; `description`, `is_active` and `permissions` (ids) if any.

    Raises:
        InvalidFields: The name is taken, or a permission is not of this service.
    """
    group = ServiceUserGroup(service_id=service_id, created_by_id=by_user_id, created_at=now)
    return _keep_group("create_group", group, values, by_user_id, origin, now)


@transaction.atomic
def edit_group(
    *,
    service_id: int,
    group_id: int,
    values: Mapping[str, Any],
    by_user_id: int,
    origin: Origin,
    now: datetime,
) -> ServiceUserGroup:
    """Change what `create_group` sets; `permissions` replaces those that the group had.

    Raises:
        Unknown: The service has no such group.
        InvalidFields: As for `create_group`.
    """
    group = _locked_group(service_id=service_id, group_id=group_id)
    return _keep_group("update_group", group, values, by_user_id, origin, now)


@transaction.atomic
def delete_group(
    *, service_id: int, group_id: int, by_user_id: int, origin: Origin, now: datetime
) -> None:
    """Delete a group; its members lose what it shared.

    Raises:
        Unknown: The service has no such group.
    """
    group = _locked_group(service_id=service_id, group_id=group_id)
    _audit_group("delete_group", group, {"name": group.name}, by_user_id, origin, now)
    group.delete()


@transaction.atomic
def add_member(
    *,
    service_id: int,
    group_id: int,
    user_id: int,
    expires_at: datetime | None,
    by_user_id: int,
    origin: Origin,
    now: datetime,
) -> ServiceUserGroup:
    """Put a user into a group until `expires_at`, or for ever; changes an earlier membership.

    Raises:
        Unknown: The service has no such group.
        InvalidFields: There is no such user, or the membership has ended already.
    """
    group = _locked_group(service_id=service_id, group_id=group_id)
    _check_user(user_id, field="user_id")
    _check_end(expires_at, now=now)
    ServiceUserGroupMembership.objects.update_or_create(
        group=group,
        user_id=user_id,
        defaults={"expires_at": expires_at, "added_by_id": by_user_id},
        create_defaults={"expires_at": expires_at, "added_by_id": by_user_id, "joined_at": now},
    )
    details = {"user_id": user_id, "expires_at": _text(expires_at)}
    _audit_group("grant_permission", group, details, by_user_id, origin, now)
    return groups_at(service_id=service_id).get(pk=group_id)


@transaction.atomic
def remove_member(
    *,
    service_id: int,
    group_id: int,
    user_id: int,
    by_user_id: int,
    origin: Origin,
    now: datetime,
) -> ServiceUserGroup:
    """Take a user out of a group.

    Raises:
        Unknown: The service has no such group, or the group no such member.
    """
    group = _locked_group(service_id=service_id, group_id=group_id)
    deleted, _ = group.memberships.filter(user_id=user_id).delete()
    if not deleted:
        raise Unknown
    _audit_group("revoke_permission", group, {"user_id": user_id}, by_user_id, origin, now)
    return groups_at(service_id=service_id).get(pk=group_id)


def _locked_permission(*, service_id: int, permission_id: int) -> ServicePermission:
    rows = permissions_at(service_id=service_id).select_for_update(of=["self"])
    permission = rows.filter(pk=permission_id).first()
    if permission is None:
        raise Unknown
    return permission


def _locked_group(*, service_id: int, group_id: int) -> ServiceUserGroup:
    group = groups_at(service_id=service_id).select_for_update().filter(pk=group_id).first()
    if group is None:
        raise Unknown
    return group


def _keep_permission(
    permission: ServicePermission,
    values: Mapping[str, Any],
    *,
    by_user_id: int,
    origin: Origin,
    now: datetime,
) -> ServicePermission:
    if "user_id" in values:
        _check_user(values["user_id"], field="user")
    if "expires_at" in values:
        _check_end(values["expires_at"], now=now)
    for name, value in values.items():
        setattr(permission, name, value)
    permission.granted_by_id = by_user_id
    try:
        with transaction.atomic():
            permission.save()
    except IntegrityError:
        raise InvalidFields({"permission": ["The user has this permission already."]}) from None
    action = "grant_permission" if permission.is_active else "revoke_permission"
    _audit_permission(action, permission, by_user_id, origin, now)
    return permission


def _keep_group(
    action: str,
    group: ServiceUserGroup,
    values: Mapping[str, Any],
    by_user_id: int,
    origin: Origin,
    now: datetime,
) -> ServiceUserGroup:
    own = {name: value for name, value in values.items() if name != "permissions"}
    for name, value in own.items():
        setattr(group, name, value)
    try:
        with transaction.atomic():
            group.save()
    except IntegrityError:
        raise InvalidFields({"name": ["The service has a group of this name already."]}) from None
    if "permissions" in values:
        group.permissions.set(_own_permissions(group.service_id, set(values["permissions"])))
    _audit_group(action, group, dict(values), by_user_id, origin, now)
    return groups_at(service_id=group.service_id).get(pk=group.pk)


def _own_permissions(service_id: int, wanted: Collection[int]) -> list[ServicePermission]:
    """The permissions with these ids, held until the transaction ends.

    Raises:
        InvalidFields: One is of another service, or is none.
    """
    held = permissions_at(service_id=service_id).select_for_update(of=["self"], no_key=True)
    found = list(held.filter(pk__in=wanted))
    if len(found) != len(wanted):
        raise InvalidFields({"permissions": ["All must be permissions of this service."]})
    return found


def _check_user(user_id: int, *, field: str) -> None:
    if not users().filter(pk=user_id).exists():
        raise InvalidFields({field: ["There is no such user."]})


def _check_end(expires_at: datetime | None, *, now: datetime) -> None:
    if expires_at is not None and expires_at <= now:
        raise InvalidFields({"expires_at": ["This time is over already."]})


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _audit_permission(
    action: str, permission: ServicePermission, by_user_id: int, origin: Origin, now: datetime
) -> None:
    record_audit(
        action=action,
        user_id=by_user_id,
        resource_type="service_permission",
        resource_id=str(permission.pk),
        details={
            "service_id": permission.service_id,
            "user_id": permission.user_id,
            "permission": permission.permission,
            "expires_at": _text(permission.expires_at),
            "is_active": permission.is_active,
        },
        origin=origin,
        now=now,
    )


def _audit_group(
    action: str,
    group: ServiceUserGroup,
    details: dict[str, Any],
    by_user_id: int,
    origin: Origin,
    now: datetime,
) -> None:
    record_audit(
        action=action,
        user_id=by_user_id,
        resource_type="service_group",
        resource_id=str(group.pk),
        details={"service_id": group.service_id, **details},
        origin=origin,
        now=now,
    )
