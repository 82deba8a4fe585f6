"""The one place where stored secrets are read in plain text."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from federated_imputation.monolith.accounts.models import ServiceCredential
from federated_imputation.monolith.accounts.secrets import Undecryptable, decrypt

__all__ = [
    "Undecryptable",
    "reveal_credential",
    "reveal_newer_token",
    "reveal_result_password",
    "reveal_tokens",
    "token_stored_at",
]


def reveal_credential(
    *, service_id: int, now: datetime, user_id: int | None = None, job_id: UUID | None = None
) -> str | None:
    """The plaintext token to use at a service, for the one call that needs it; never log it.

    The first that exists and has not expired at `now`: the job's own, the user's for the service,
    the service's own.

    Raises:
        Undecryptable: It was encrypted with a key that is gone.
    """
    usable = ServiceCredential.objects.filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=now), service_id=service_id
    ).filter(
        Q(kind=ServiceCredential.Kind.API_TOKEN, user_id__isnull=True)
        | Q(kind=ServiceCredential.Kind.API_TOKEN, user_id=user_id, user_id__isnull=False)
        | Q(kind=ServiceCredential.Kind.JOB_TOKEN, job_id=job_id, job_id__isnull=False)
    )
    nearest = max(
        usable,
        key=lambda found: (found.job_id is not None, found.user_id is not None),
        default=None,
    )
    return None if nearest is None else decrypt(nearest.encrypted)


def reveal_tokens(
    *, jobs: Iterable[tuple[UUID, int, int]], now: datetime
) -> dict[UUID, str | Undecryptable | None]:
    """What `reveal_credential` tells of many jobs, given as (job, service, user), in one query.

    What cannot be decrypted is told as its error, so that it fails only its own jobs.
    """
    wanted = list(jobs)
    usable = ServiceCredential.objects.filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=now),
        service_id__in={service_id for _, service_id, _ in wanted},
    ).filter(
        Q(kind=ServiceCredential.Kind.API_TOKEN)
        & (Q(user_id__isnull=True) | Q(user_id__in={user_id for _, _, user_id in wanted}))
        | Q(kind=ServiceCredential.Kind.JOB_TOKEN, job_id__in={job_id for job_id, _, _ in wanted})
    )
    stored = {
        (found.service_id, found.user_id if found.job_id is None else None, found.job_id): found
        for found in usable
    }
    opened: dict[int, str | Undecryptable] = {}
    told: dict[UUID, str | Undecryptable | None] = {}
    for job_id, service_id, user_id in wanted:
        nearest = (
            stored.get((service_id, None, job_id))
            or stored.get((service_id, user_id, None))
            or stored.get((service_id, None, None))
        )
        if nearest is not None and nearest.pk not in opened:
            try:
                opened[nearest.pk] = decrypt(nearest.encrypted)
            except Undecryptable as error:
                opened[nearest.pk] = error
        told[job_id] = None if nearest is None else opened[nearest.pk]
    return told


def token_stored_at(*, service_id: int) -> datetime | None:
    """When the platform's own token at a service was stored; `None` when there is none."""
    return (
        ServiceCredential.objects.filter(
            service_id=service_id,
            user_id__isnull=True,
            kind=ServiceCredential.Kind.API_TOKEN,
        )
        .values_list("updated_at", flat=True)
        .first()
    )


def reveal_newer_token(*, service_id: int, user_id: int, job_id: UUID, now: datetime) -> str | None:
    """The user's own token for a service, when it was stored after the job's; never log it.

    A service refuses an old token as soon as its owner has made a new one there.

    Raises:
        Undecryptable: It was encrypted with a key that is gone.
    """
    usable = Q(expires_at__isnull=True) | Q(expires_at__gt=now)
    tokens = ServiceCredential.objects.filter(usable, service_id=service_id, user_id=user_id)
    of_job = tokens.filter(job_id=job_id, kind=ServiceCredential.Kind.JOB_TOKEN).first()
    of_user = tokens.filter(job_id__isnull=True, kind=ServiceCredential.Kind.API_TOKEN).first()
    if of_job is None or of_user is None or of_user.updated_at <= of_job.updated_at:
        return None
    return decrypt(of_user.encrypted)


def reveal_result_password(*, job_id: UUID) -> str | None:
    """The plaintext password of a job's result files, or None; never log it.

    Raises:
        Undecryptable: It was encrypted with a key that is gone.
    """
    found = ServiceCredential.objects.filter(
        job_id=job_id, kind=ServiceCredential.Kind.RESULT_PASSWORD
    ).first()
    return None if found is None else decrypt(found.encrypted)
