"""What a caller may do: role, rights at services, rights through groups."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import F, IntegerField, Q, Value
from django.utils import timezone

from federated_imputation.monolith.accounts.models import (
    ServicePermission,
    UserProfile,
    UserServiceAccess,
)
from federated_imputation.monolith.accounts.rights import Rights, capabilities_of

if TYPE_CHECKING:
    from django.db.models import QuerySet

__all__ = ["find_rights", "is_barred"]


def find_rights(user: User | AnonymousUser, *, now: datetime | None = None) -> Rights:
    """All that `user` may do at `now`; nothing for an anonymous or deactivated user."""
    if not user.is_authenticated or not user.is_active:
        return Rights()
    role: str | None = None
    role_is_active = True
    granted: defaultdict[int, set[str]] = defaultdict(set)
    # In one statement, since every request of everybody asks for it.
    for service_id, held, is_active in _role_of(user.pk).union(
        *_granted(user_id=user.pk, now=now or timezone.now()), all=True
    ):
        if service_id is None:
            role, role_is_active = held, is_active
        else:
            granted[service_id].add(held)
    return Rights(
        user_id=user.pk,
        is_superuser=user.is_superuser,
        capabilities=capabilities_of(
            role=role, role_is_active=role_is_active, is_superuser=user.is_superuser
        ),
        granted={service_id: frozenset(kinds) for service_id, kinds in granted.items()},
    )


def is_barred(by: Rights, *, service_id: int) -> bool:
    """Whether this service refuses the user, whatever the role."""
    refusals = UserServiceAccess.objects.filter(user_id=by.user_id or 0, has_access=False)
    return refusals.filter(service_id=service_id).exists()


_Held = tuple[int | None, str, bool]


def _role_of(user_id: int) -> "QuerySet[UserProfile, _Held]":
    """The role, at no service in particular, and whether it counts."""
    return UserProfile.objects.filter(user_id=user_id, role__isnull=False).values_list(
        Value(None, IntegerField()), "role__name", "role__is_active"
    )


def _granted(*, user_id: int, now: datetime) -> "Iterator[QuerySet[ServicePermission, _Held]]":
    """A right counts for its own user, and for the members of each active group that holds it.

    A membership counts until it expires. A group's rights count only at the group's own service.
    """
    in_force = ServicePermission.objects.filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=now), is_active=True
    )
    own = in_force.filter(user_id=user_id)
    shared = in_force.filter(
        Q(groups__memberships__expires_at__isnull=True)
        | Q(groups__memberships__expires_at__gt=now),
        groups__memberships__user_id=user_id,
        groups__is_active=True,
        groups__service_id=F("service_id"),
    )
    for rights in (own, shared):
        yield rights.values_list("service_id", "permission", "is_active")
