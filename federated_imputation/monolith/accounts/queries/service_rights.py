"""What users may do at single services."""

from federated_imputation.monolith.accounts.models import UserServiceAccess

__all__ = ["count_accessible_services"]


def count_accessible_services(*, user_id: int) -> int:
    """How many active services the user was given access to."""
    return UserServiceAccess.objects.filter(
        user_id=user_id, has_access=True, service__is_active=True
    ).count()
