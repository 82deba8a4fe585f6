"""Writes of the accounts domain: login, logout, the audit log, stored secrets."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.db import transaction

from apps.shared.api.origin import Origin
from federated_imputation.monolith.accounts.models import AuditLog, ServiceCredential
from federated_imputation.monolith.accounts.secrets import encrypt

__all__ = [
    "BadCredentials",
    "check_login",
    "forget_job_secrets",
    "record_audit",
    "record_logout",
    "store_credential",
]


class BadCredentials(Exception):
    """Unknown user, wrong password or a disabled account; which of them is not told."""


def check_login(*, username: str, password: str, origin: Origin, now: datetime) -> User:
    """Return the active user who has this password; success and failure are audited.

    Raises:
        BadCredentials: There is none.
    """
    user = authenticate(username=username, password=password)
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


def record_audit(
    *,
    action: str,
    user_id: int | None,
    origin: Origin | None,
    now: datetime,
    resource_type: str = "",
    resource_id: str = "",
    details: dict[str, Any] | None = None,
) -> AuditLog:
    """Append one row to the audit log, in the caller's transaction if there is one.

    Args:
        action: Up to 20 characters, `create_job`.
        user_id: Who did it; `None` for the platform itself or an unknown person.
        origin: From where; `None` when there was no request.
        resource_type: What kind of thing it was done to, up to 50 characters.
        resource_id: Which one, up to 100 characters.
        details: Plain JSON values; never a secret.
    """
    return AuditLog.objects.create(
        action=action,
        user_id=user_id,
        resource_type=resource_type,
        resource_id=resource_id,
        details=details or {},
        ip_address=origin.address if origin else None,
        user_agent=origin.user_agent if origin else "",
        timestamp=now,
    )


@transaction.atomic
def store_credential(
    *,
    service_id: int,
    kind: ServiceCredential.Kind,
    secret: str,
    now: datetime,
    user_id: int | None = None,
    job_id: UUID | None = None,
    label: str = "",
    expires_at: datetime | None = None,
) -> ServiceCredential:
    """Encrypt and keep `secret`, in place of an earlier one of the same owner and kind.

    The owner is the job (`job_id` and its `user_id`), else the user, else the service itself.

    Raises:
        ValueError: `secret` is empty.
        IntegrityError: The kind does not fit the owner.
    """
    if not secret:
        raise ValueError("An empty secret cannot be stored.")
    owner: dict[str, Any] = {"job_id": job_id, "kind": kind}
    if job_id is None:
        owner |= {"service_id": service_id, "user_id": user_id}
    values: dict[str, Any] = {
        "service_id": service_id,
        "user_id": user_id,
        "label": label,
        "encrypted": encrypt(secret),
        "expires_at": expires_at,
        "updated_at": now,
    }
    credential, _ = ServiceCredential.objects.update_or_create(
        **owner, defaults=values, create_defaults={**values, "created_at": now}
    )
    return credential


def forget_job_secrets(*, job_id: UUID) -> int:
    """Delete all secrets of a job and return how many there were."""
    deleted, _ = ServiceCredential.objects.filter(job_id=job_id).delete()
    return deleted
