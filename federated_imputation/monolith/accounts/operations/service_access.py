"""Letting users use a service, and how much: the rows that bar, limit and give a key.

Who manages users or the rights at services by role, or holds the right `admin` at the service of a
row, writes it. Each change is audited with it or not made.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from apps.shared.api.origin import Origin
from federated_imputation.monolith.accounts.models import ServiceCredential, UserServiceAccess
from federated_imputation.monolith.accounts.operations.audit import record_audit
from federated_imputation.monolith.accounts.operations.changes import changes_to, told
from federated_imputation.monolith.accounts.operations.credentials import (
    forget_user_token,
    store_credential,
)
from federated_imputation.monolith.accounts.operations.refusals import InvalidFields, Unknown
from federated_imputation.monolith.accounts.queries.people import users
from federated_imputation.monolith.accounts.queries.service_rights import (
    may_manage_access,
    seen_access,
    service_exists,
)
from federated_imputation.monolith.accounts.rights import Rights

__all__ = ["change_access", "grant_access", "revoke_access"]


@transaction.atomic
def grant_access(
    *, values: Mapping[str, Any], by: Rights, origin: Origin, now: datetime
) -> UserServiceAccess:
    """Make the row of a user at a service.

    Args:
        values: `user_id` and `service_id`; `has_access`, `quota_limit` (`None` for no limit) and
            `api_key`, the user's token at the service, if they are to be told.

    Raises:
        PermissionDenied: The caller may not manage access to this service.
        InvalidFields: There is no such service or user, or the row is there already.
    """
    user_id, service_id = values["user_id"], values["service_id"]
    _refuse_others(by, service_id=service_id)
    if not service_exists(service_id=service_id):
        raise InvalidFields({"service": [f'Invalid pk "{service_id}" - object does not exist.']})
    if not users().filter(pk=user_id).exists():
        raise InvalidFields({"user": [f'Invalid pk "{user_id}" - object does not exist.']})
    access = UserServiceAccess(user_id=user_id, service_id=service_id, created_at=now)
    return _keep("grant_access", access, values, by=by, origin=origin, now=now)


@transaction.atomic
def change_access(
    access_id: int, *, values: Mapping[str, Any], by: Rights, origin: Origin, now: datetime
) -> UserServiceAccess:
    """Write what `values` names; the user and the service of a row stay.

    Args:
        values: As for `grant_access`; an `api_key` of '' forgets the stored one.

    Raises:
        Unknown: There is no such row, or not one that the caller may see.
        PermissionDenied: It is the caller's own, and they may not manage it.
        InvalidFields: The row should go to another user or service.
    """
    access = _locked(access_id, by=by)
    for name in ("user", "service"):
        if values.get(f"{name}_id", getattr(access, f"{name}_id")) != getattr(access, f"{name}_id"):
            raise InvalidFields({name: [f"A row of access stays with its {name}."]})
    return _keep("change_access", access, values, by=by, origin=origin, now=now)


@transaction.atomic
def revoke_access(access_id: int, *, by: Rights, origin: Origin, now: datetime) -> None:
    """Delete a row and the user's token at that service: no bar, no limit and no key is left.

    Raises:
        Unknown, PermissionDenied: As `change_access`.
    """
    access = _locked(access_id, by=by)
    forget_user_token(service_id=access.service_id, user_id=access.user_id)
    _audit("revoke_access", access, {}, by=by, origin=origin, now=now)
    access.delete()


def _locked(access_id: int, *, by: Rights) -> UserServiceAccess:
    rows = seen_access(by).select_for_update(of=("self",), no_key=True)
    access = rows.filter(pk=access_id).first()
    if access is None:
        raise Unknown
    _refuse_others(by, service_id=access.service_id)
    return access


def _refuse_others(by: Rights, *, service_id: int) -> None:
    if not may_manage_access(by, service_id=service_id):
        raise PermissionDenied(
            "Only those who manage users, or the rights at this service, may write access to it."
        )


def _keep(
    action: str,
    access: UserServiceAccess,
    values: Mapping[str, Any],
    *,
    by: Rights,
    origin: Origin,
    now: datetime,
) -> UserServiceAccess:
    columns = {name: new for name, new in values.items() if name != "api_key"}
    changes = changes_to(access, columns)
    for name, (_, new) in changes.items():
        setattr(access, name, new)
    _save(access, changed=[*changes])
    details = told(changes, with_values=("has_access", "quota_limit"))
    if "api_key" in values:
        details["api_key"] = _keep_key(access, values["api_key"], now=now)
    _audit(action, access, details, by=by, origin=origin, now=now)
    return access


def _save(access: UserServiceAccess, *, changed: list[str]) -> None:
    """Only what changed: the counts belong to those who submit."""
    if not access._state.adding:
        access.save(update_fields=[*changed, "updated_at"])
        return
    try:
        with transaction.atomic():
            access.save(force_insert=True)
    except IntegrityError:
        message = "This user has a row of access to this service already."
        raise InvalidFields({"user": [message]}) from None


def _keep_key(access: UserServiceAccess, api_key: str, *, now: datetime) -> str:
    """Store or forget the user's token; what was done, in a word."""
    # What the legacy system kept of it in plaintext goes in either case.
    UserServiceAccess.objects.filter(pk=access.pk).exclude(api_key="").update(api_key="")
    if not api_key:
        return (
            "deleted"
            if forget_user_token(service_id=access.service_id, user_id=access.user_id)
            else "none"
        )
    store_credential(
        service_id=access.service_id,
        user_id=access.user_id,
        kind=ServiceCredential.Kind.API_TOKEN,
        secret=api_key,
        now=now,
    )
    return "stored"


def _audit(
    action: str,
    access: UserServiceAccess,
    details: dict[str, Any],
    *,
    by: Rights,
    origin: Origin,
    now: datetime,
) -> None:
    record_audit(
        action=action,
        user_id=by.user_id,
        resource_type="service_access",
        resource_id=str(access.pk),
        details={"service_id": access.service_id, "user_id": access.user_id, **details},
        origin=origin,
        now=now,
    )
