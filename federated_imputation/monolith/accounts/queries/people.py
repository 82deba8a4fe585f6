"""Users and their profiles."""

from django.contrib.auth.models import User

from federated_imputation.monolith.accounts.models import UserProfile

__all__ = ["find_profile", "get_user_with_profile"]


def get_user_with_profile(*, user_id: int) -> User:
    """The user, with profile and role if there are any, in one query."""
    return User.objects.select_related("profile__role").get(pk=user_id)


def find_profile(*, user_id: int) -> UserProfile | None:
    """The profile with its role, or None: users without one exist."""
    return UserProfile.objects.select_related("role").filter(user_id=user_id).first()
