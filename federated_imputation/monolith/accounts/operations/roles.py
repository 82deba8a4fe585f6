"""Writes of roles.

What a role gives follows from its name (`rights`); the permissions listed for it are carried for
the clients of the legacy system.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Permission
from django.db import IntegrityError, transaction

from apps.shared.api.origin import Origin
from federated_imputation.monolith.accounts.models import UserProfile, UserRole
from federated_imputation.monolith.accounts.operations.administrators import (
    keeping_an_administrator,
)
from federated_imputation.monolith.accounts.operations.audit import record_audit
from federated_imputation.monolith.accounts.operations.changes import changes_to, told
from federated_imputation.monolith.accounts.operations.refusals import (
    Conflict,
    InvalidFields,
    Unknown,
)
from federated_imputation.monolith.accounts.queries.people import permissions_by_codename
from federated_imputation.monolith.accounts.rights import Rights

__all__ = ["create_role", "delete_role", "update_role"]


@transaction.atomic
def create_role(
    *,
    name: str,
    by: Rights,
    origin: Origin,
    now: datetime,
    description: str = "",
    is_active: bool = True,
    permissions_list: list[str] | None = None,
) -> UserRole:
    """Make one of the five roles that does not exist yet.

    Raises:
        InvalidFields: It exists, or a permission does not.
    """
    permissions = _permissions(permissions_list or [])
    try:
        with transaction.atomic():
            role = UserRole.objects.create(
                name=name, description=description, is_active=is_active, created_at=now
            )
    except IntegrityError:
        raise InvalidFields({"name": ["A role with this name exists already."]}) from None
    role.permissions.set(permissions)
    details = {"name": name, "is_active": is_active, "permissions": permissions_list or []}
    _audit("create_role", role.pk, details, by=by, origin=origin, now=now)
    return role


def update_role(
    role_id: int, *, wanted: Mapping[str, Any], by: Rights, origin: Origin, now: datetime
) -> UserRole:
    """Change description, flag and listed permissions; a name stays, since people hold it.

    Raises:
        Unknown: There is no such role.
        InvalidFields: Another name is wanted, or a permission does not exist.
        Conflict: Nobody would be left who may manage users.
    """
    fields = dict(wanted)
    codenames = fields.pop("permissions_list", None)
    with keeping_an_administrator():
        role = _locked(role_id)
        changes = changes_to(role, fields)
        if "name" in changes:
            raise InvalidFields({"name": ["The name of a role cannot be changed."]})
        for name, (_, new) in changes.items():
            setattr(role, name, new)
        role.save(update_fields=[*changes, "updated_at"])
        if codenames is not None:
            before = sorted(set(role.permissions.values_list("codename", flat=True)))
            after = sorted(set(codenames))
            role.permissions.set(_permissions(after))
            if before != after:
                changes["permissions"] = (before, after)
        details = told(changes, with_values={"is_active", "permissions"})
        _audit("update_role", role_id, details, by=by, origin=origin, now=now)
    return role


def delete_role(role_id: int, *, by: Rights, origin: Origin, now: datetime) -> None:
    """Delete a role that nobody holds: without one, its holders could do more than with some.

    Raises:
        Unknown: There is no such role.
        Conflict: Somebody holds it.
    """
    with transaction.atomic():
        role = _locked(role_id)
        holders = UserProfile.objects.filter(role_id=role_id).count()
        if holders:
            raise Conflict(f"The role {role.name} is held by {holders} users; change theirs first.")
        _audit("delete_role", role_id, {"name": role.name}, by=by, origin=origin, now=now)
        role.delete()


def _locked(role_id: int) -> UserRole:
    role = UserRole.objects.select_for_update().filter(pk=role_id).first()
    if role is None:
        raise Unknown
    return role


def _permissions(codenames: list[str]) -> list[Permission]:
    found = list(permissions_by_codename(codenames))
    unknown = sorted(set(codenames) - {permission.codename for permission in found})
    if unknown:
        message = f"There are no permissions named: {', '.join(unknown)}."
        raise InvalidFields({"permissions_list": [message]})
    return found


def _audit(
    action: str, role_id: int, details: dict[str, Any], *, by: Rights, origin: Origin, now: datetime
) -> None:
    record_audit(
        action=action,
        user_id=by.user_id,
        resource_type="role",
        resource_id=str(role_id),
        details=details,
        origin=origin,
        now=now,
    )
