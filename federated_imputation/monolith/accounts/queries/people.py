"""Users, their profiles and their roles."""

from collections.abc import Mapping
from typing import Final

from django.contrib.auth.models import Permission, User
from django.db.models import Q, QuerySet

from federated_imputation.monolith.accounts.models import UserProfile, UserRole
from federated_imputation.monolith.accounts.quotas import gigabytes
from federated_imputation.monolith.accounts.rights import (
    ROLE_CAPABILITIES,
    Capability,
    Rights,
)
from federated_imputation.monolith.deletions.queries import being_deleted

__all__ = [
    "administrators",
    "find_profile",
    "find_user",
    "get_user_with_profile",
    "permissions_by_codename",
    "profiles",
    "roles",
    "storage_limit",
    "users",
    "users_with_other_storage",
]

_GIGABYTE: Final = 1024**3


def roles() -> QuerySet[UserRole]:
    """All roles by id, each with the permissions that are listed for it."""
    return UserRole.objects.prefetch_related("permissions").order_by("id")


def permissions_by_codename(codenames: list[str]) -> QuerySet[Permission]:
    """Every permission with one of these codenames."""
    return Permission.objects.filter(codename__in=codenames).order_by("id")


def users(*, search: str = "", is_active: bool | None = None) -> QuerySet[User]:
    """All users by id, with profile and role if there are any.

    Args:
        search: A part of the username, the address or a name, in any case; '' for all.
        is_active: `None` for both.
    """
    found = User.objects.filter(~being_deleted(user="id")).select_related("profile__role")
    if is_active is not None:
        found = found.filter(is_active=is_active)
    if search:
        found = found.filter(
            Q(username__icontains=search)
            | Q(email__icontains=search)
            | Q(first_name__icontains=search)
            | Q(last_name__icontains=search)
        )
    return found.order_by("id")


def find_user(*, username: str) -> User | None:
    """The user of exactly this name, active or not."""
    return User.objects.filter(username=username).first()


def get_user_with_profile(*, user_id: int) -> User:
    """The user, with profile and role if there are any, in one query."""
    return User.objects.select_related("profile__role").get(pk=user_id)


def administrators() -> QuerySet[User]:
    """The active users who may manage users, by id."""
    names = [name for name, held in ROLE_CAPABILITIES.items() if Capability.MANAGE_USERS in held]
    by_role = Q(profile__role__name__in=names, profile__role__is_active=True)
    found = User.objects.filter(Q(is_superuser=True) | by_role, is_active=True)
    return found.order_by("id")


def profiles(by: Rights) -> QuerySet[UserProfile]:
    """The profiles that the caller may see, by id, with user and role.

    The own one; all with the capability to manage users.
    """
    found = UserProfile.objects.select_related("user", "role")
    if not by.may(Capability.MANAGE_USERS):
        found = found.filter(Q(user_id=by.user_id))
    return found.order_by("id")


def storage_limit(*, user_id: int) -> int | None:
    """Bytes that the user's profile allows, of 1,024 MB a GB; `None` without a profile."""
    limits = UserProfile.objects.filter(user_id=user_id).values_list("storage_limit_gb", flat=True)
    limit = limits.first()
    return None if limit is None else max(0, int(limit * _GIGABYTE))


def users_with_other_storage(stored: Mapping[int, int]) -> list[int]:
    """The users whose profile does not say what they store.

    Args:
        stored: Bytes by user; who is not there stores nothing.
    """
    told = UserProfile.objects.order_by("user_id").values_list("user_id", "storage_used_gb")
    return [user for user, used in told if used != gigabytes(stored.get(user, 0))]


def find_profile(*, user_id: int) -> UserProfile | None:
    """The profile with its role, or None: users without one exist."""
    return UserProfile.objects.select_related("role").filter(user_id=user_id).first()
