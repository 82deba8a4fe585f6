"""Reads of the accounts domain: roles, profiles, secrets."""

from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Q

from federated_imputation.monolith.accounts.models import (
    ServiceCredential,
    UserProfile,
    UserRole,
    UserServiceAccess,
)
from federated_imputation.monolith.accounts.secrets import Undecryptable, decrypt

__all__ = [
    "Undecryptable",
    "count_accessible_services",
    "find_profile",
    "find_role",
    "get_user_with_profile",
    "reveal_credential",
    "reveal_result_password",
    "sees_all_jobs",
]

_SEE_ALL_JOBS = {UserRole.Name.ADMIN, UserRole.Name.SERVICE_ADMIN}


def get_user_with_profile(*, user_id: int) -> User:
    """The user, with profile and role if there are any, in one query."""
    return User.objects.select_related("profile__role").get(pk=user_id)


def find_profile(*, user_id: int) -> UserProfile | None:
    """The profile with its role, or None: users without one exist."""
    return UserProfile.objects.select_related("role").filter(user_id=user_id).first()


def find_role(*, user: User | AnonymousUser) -> str | None:
    """Name of the user's role, None without one or when the role is switched off."""
    if not user.is_authenticated:
        return None
    profile = find_profile(user_id=user.pk)
    if profile is None or profile.role is None or not profile.role.is_active:
        return None
    return profile.role.name


def sees_all_jobs(user: User | AnonymousUser) -> bool:
    """Whether the user sees everybody's jobs: superusers and both kinds of administrators do."""
    if not user.is_authenticated or not user.is_active:
        return False
    return user.is_superuser or find_role(user=user) in _SEE_ALL_JOBS


def count_accessible_services(*, user_id: int) -> int:
    """How many active services the user was given access to."""
    return UserServiceAccess.objects.filter(
        user_id=user_id, has_access=True, service__is_active=True
    ).count()


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
