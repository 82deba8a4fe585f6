"""What a caller may do: role, rights at services, rights through groups."""

from collections import defaultdict
from datetime import datetime

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import F, Q
from django.utils import timezone

from federated_imputation.monolith.accounts.models import ServicePermission, UserServiceAccess
from federated_imputation.monolith.accounts.queries.people import find_profile
from federated_imputation.monolith.accounts.rights import Rights, capabilities_of

__all__ = ["find_rights", "is_barred"]


def find_rights(user: User | AnonymousUser, *, now: datetime | None = None) -> Rights:
    """All that `user` may do at `now`; nothing for an anonymous or deactivated user."""
    if not user.is_authenticated or not user.is_active:
        return Rights()
    profile = find_profile(user_id=user.pk)
    role = profile.role if profile else None
    return Rights(
        user_id=user.pk,
        is_superuser=user.is_superuser,
        capabilities=capabilities_of(
            role=role.name if role else None,
            role_is_active=role is None or role.is_active,
            is_superuser=user.is_superuser,
        ),
        granted=_granted(user_id=user.pk, now=now or timezone.now()),
    )


def is_barred(by: Rights, *, service_id: int) -> bool:
    """Whether this service refuses the user, whatever the role."""
    refusals = UserServiceAccess.objects.filter(user_id=by.user_id or 0, has_access=False)
    return refusals.filter(service_id=service_id).exists()


def _granted(*, user_id: int, now: datetime) -> dict[int, frozenset[str]]:
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
    held = defaultdict(set)
    for service_id, kind in own.union(shared).values_list("service_id", "permission"):
        held[service_id].add(kind)
    return {service_id: frozenset(kinds) for service_id, kinds in held.items()}
