"""What the accounts domain deletes of a user or a service that goes for good."""

from collections.abc import Callable
from typing import Final

from django.contrib.auth.models import User
from django.db import models, transaction

from federated_imputation.monolith.accounts.models import (
    ApiToken,
    ServiceCredential,
    ServicePermission,
    ServiceUserGroup,
    ServiceUserGroupMembership,
    TokenFamily,
    UserProfile,
    UserServiceAccess,
)
from federated_imputation.monolith.deletions.operations import erase

__all__ = ["erase_user", "forget_service", "forget_user_rights"]

_OF_A_USER: Final[tuple[type[models.Model], ...]] = (
    ApiToken,
    TokenFamily,
    ServiceUserGroupMembership,
    ServicePermission,
    UserServiceAccess,
    UserProfile,
)
_OF_A_SERVICE: Final[tuple[type[models.Model], ...]] = (
    ServiceCredential,
    ServiceUserGroup,
    ServicePermission,
    UserServiceAccess,
)


@transaction.atomic
def forget_user_rights(*, user_id: int) -> None:
    """Delete all that a user may do and is known by; stored secrets stay, to end jobs with."""
    for model in _OF_A_USER:
        model._default_manager.filter(user_id=user_id).delete()


@transaction.atomic
def forget_service(*, service_id: int) -> None:
    """Delete all rights at a service and all secrets for it."""
    for model in _OF_A_SERVICE:
        model._default_manager.filter(service_id=service_id).delete()


def erase_user(user_id: int, *, unless: Callable[[], bool]) -> bool:
    """Delete the row and the user's secrets, unless, under its lock, something is left.

    The rows of the audit log stay and forget the user; their seals do not.

    Returns:
        Whether the user is gone.
    """
    return erase(User.objects.filter(pk=user_id), unless=unless)
