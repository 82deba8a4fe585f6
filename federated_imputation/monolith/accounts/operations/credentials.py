"""Keeping and forgetting the secrets of services and users."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from federated_imputation.monolith.accounts.models import ServiceCredential
from federated_imputation.monolith.accounts.operations.legacy_secrets import (
    empty_legacy_secrets_of_service,
)
from federated_imputation.monolith.accounts.secrets import encrypt

__all__ = [
    "forget_credential",
    "forget_job_secrets",
    "forget_service_secrets",
    "forget_user_token",
    "store_credential",
]


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


def forget_credential(*, service_id: int, kind: ServiceCredential.Kind) -> bool:
    """Delete the service's own secret of this kind; whether there was one."""
    own = ServiceCredential.objects.filter(service_id=service_id, kind=kind)
    deleted, _ = own.filter(user__isnull=True, job_id__isnull=True).delete()
    return deleted > 0


@transaction.atomic
def forget_service_secrets(*, service_id: int) -> int:
    """Delete all that opens a service: its own secrets, its users' and its jobs' tokens.

    The passwords of result files stay, since they open what is here. What the legacy system kept
    of it in plaintext goes too, else going back, or a backfill, would bring it back.

    Returns:
        How many stored secrets there were.
    """
    empty_legacy_secrets_of_service(service_id=service_id)
    opens_the_service = ServiceCredential.objects.filter(service_id=service_id).exclude(
        kind=ServiceCredential.Kind.RESULT_PASSWORD
    )
    deleted, _ = opens_the_service.delete()
    return deleted


def forget_job_secrets(*, job_id: UUID) -> int:
    """Delete all secrets of a job and return how many there were."""
    deleted, _ = ServiceCredential.objects.filter(job_id=job_id).delete()
    return deleted


def forget_user_token(*, service_id: int, user_id: int) -> bool:
    """Delete the token that a user stored for a service; False when there was none."""
    deleted, _ = ServiceCredential.objects.filter(
        service_id=service_id,
        user_id=user_id,
        job_id__isnull=True,
        kind=ServiceCredential.Kind.API_TOKEN,
    ).delete()
    return bool(deleted)
