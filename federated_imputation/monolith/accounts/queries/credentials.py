"""The one place where stored secrets are read in plain text."""

from datetime import datetime
from uuid import UUID

from django.db.models import Q

from federated_imputation.monolith.accounts.models import ServiceCredential
from federated_imputation.monolith.accounts.secrets import Undecryptable, decrypt

__all__ = ["Undecryptable", "reveal_credential", "reveal_result_password"]


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


def reveal_result_password(*, job_id: UUID) -> str | None:
    """The plaintext password of a job's result files, or None; never log it.

    Raises:
        Undecryptable: It was encrypted with a key that is gone.
    """
    found = ServiceCredential.objects.filter(
        job_id=job_id, kind=ServiceCredential.Kind.RESULT_PASSWORD
    ).first()
    return None if found is None else decrypt(found.encrypted)
