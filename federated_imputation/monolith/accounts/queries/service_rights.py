"""What users may do at single services."""

from django.apps import apps
from django.db.models import Prefetch, QuerySet

from federated_imputation.monolith.accounts.models import (
    ServicePermission,
    ServiceUserGroup,
    ServiceUserGroupMembership,
    UserServiceAccess,
)

__all__ = [
    "count_accessible_services",
    "groups_at",
    "permissions_at",
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
    return services._default_manager.filter(pk=service_id).exists()


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
    """The user's own accesses to services, without the keys of earlier days."""
    return (
        UserServiceAccess.objects.filter(user_id=user_id)
        .select_related("service")
        .defer("api_key")
        .order_by("id")
    )
