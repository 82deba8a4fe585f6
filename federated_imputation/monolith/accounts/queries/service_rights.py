"""What users may do at single services."""

from django.apps import apps
from django.db.models import Prefetch, Q, QuerySet

from federated_imputation.monolith.accounts.models import (
    ServicePermission,
    ServiceUserGroup,
    ServiceUserGroupMembership,
    UserServiceAccess,
)
from federated_imputation.monolith.accounts.rights import Capability, Rights
from federated_imputation.monolith.deletions.queries import being_deleted

__all__ = [
    "count_accessible_services",
    "groups_at",
    "managed_access",
    "may_manage_access",
    "permissions_at",
    "seen_access",
    "service_access_of",
    "service_exists",
]


def count_accessible_services(*, user_id: int) -> int:
    """How many active services the user was given access to."""
    return UserServiceAccess.objects.filter(
        user_id=user_id, has_access=True, service__is_active=True
    ).count()


def service_exists(*, service_id: int) -> bool:
    """Whether there is such a service, active or not."""
    # By name, as foreign keys have it: the registry builds on accounts, not the other way round.
    services = apps.get_model("imputation", "ImputationService")
    shown = services._default_manager.filter(~being_deleted(service="id"))
    return shown.filter(pk=service_id).exists()


def permissions_at(*, service_id: int) -> QuerySet[ServicePermission]:
    """The permissions of all users at this service, and at no other, with their users."""
    return (
        ServicePermission.objects.filter(service_id=service_id)
        .select_related("user", "granted_by")
        .order_by("id")
    )


def groups_at(*, service_id: int) -> QuerySet[ServiceUserGroup]:
    """The groups of this service, and of no other, with their permissions and members."""
    members = ServiceUserGroupMembership.objects.select_related("user").order_by("id")
    return (
        ServiceUserGroup.objects.filter(service_id=service_id)
        .prefetch_related(
            Prefetch("memberships", members),
            Prefetch("permissions", ServicePermission.objects.order_by("id")),
        )
        .order_by("id")
    )


def service_access_of(*, user_id: int) -> QuerySet[UserServiceAccess]:
    """The user's own accesses to services, by id, without the keys of earlier days."""
    return _access().filter(user_id=user_id)


def managed_access(
    by: Rights, *, user_id: int | None = None, service_id: int | None = None
) -> QuerySet[UserServiceAccess]:
    """The accesses that the caller may write, by id; as `service_access_of`.

    Args:
        user_id: Only of this user; `None` for all.
        service_id: Only to this service; `None` for all.
    """
    found = _access()
    if not _manages_everywhere(by):
        found = found.filter(service_id__in=by.services_with(ServicePermission.Kind.ADMIN))
    if user_id is not None:
        found = found.filter(user_id=user_id)
    if service_id is not None:
        found = found.filter(service_id=service_id)
    return found


def seen_access(by: Rights) -> QuerySet[UserServiceAccess]:
    """The accesses that the caller may look at: the own ones, and those that they may write."""
    found = _access()
    if _manages_everywhere(by):
        return found
    managed = Q(service_id__in=by.services_with(ServicePermission.Kind.ADMIN))
    return found.filter(Q(user_id=by.user_id) | managed)


def may_manage_access(by: Rights, *, service_id: int) -> bool:
    """Whether the caller says who may use this service, and how much."""
    return _manages_everywhere(by) or by.may_at(service_id, ServicePermission.Kind.ADMIN)


def _manages_everywhere(by: Rights) -> bool:
    return by.may(Capability.MANAGE_USERS) or by.may(Capability.MANAGE_SERVICE_RIGHTS)


def _access() -> QuerySet[UserServiceAccess]:
    shown = UserServiceAccess.objects.filter(~being_deleted(service="service_id", user="user_id"))
    return shown.select_related("user", "service").defer("api_key").order_by("id")
