"""Changing one's own password."""

from datetime import datetime

from django.contrib.auth import authenticate
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest

from apps.shared.api.origin import Origin
from apps.shared.identity.passwords import refuse_weak
from federated_imputation.monolith.accounts.models import TokenFamily
from federated_imputation.monolith.accounts.operations.audit import record_audit
from federated_imputation.monolith.accounts.operations.refusals import InvalidFields
from federated_imputation.monolith.accounts.operations.tokens import end_families

__all__ = ["change_password", "note_new_password"]


def change_password(
    *,
    user: User,
    current_password: str,
    new_password: str,
    request: HttpRequest,
    origin: Origin,
    now: datetime,
) -> User:
    """Give a user a new password for the current one, and return the user who has it.

    All logins by token end here. Sessions and API tokens are tied to the old password and end
    with it. The current password is asked of the same backends as at a login, and so throttled.

    Args:
        request: That of the caller, for the backends.

    Raises:
        InvalidFields: The current password is wrong, or was changed by somebody else meanwhile.
        rest_framework.serializers.ValidationError: The new password breaks a rule.
    """
    checked = authenticate(request, username=user.get_username(), password=current_password)
    if not isinstance(checked, User) or checked.pk != user.pk:
        _audit("refuse_password", user, origin=origin, now=now)
        raise InvalidFields({"current_password": ["This is not your current password."]})
    refuse_weak(new_password, user=checked, field="new_password")
    encoded = make_password(new_password)
    with transaction.atomic():
        if not User.objects.filter(pk=user.pk, password=checked.password).update(password=encoded):
            raise InvalidFields({"current_password": ["The password has just been changed."]})
        note_new_password(user, origin=origin, now=now)
    checked.password = encoded
    return checked


def note_new_password(user: User, *, origin: Origin, now: datetime) -> None:
    """End all logins by token of a user who gets a new password in this transaction, and audit it.

    Sessions and API tokens need no end: they are tied to the hash.
    """
    end_families(user_id=user.pk, because=TokenFamily.Ending.PASSWORD, now=now)
    _audit("change_password", user, origin=origin, now=now)


def _audit(action: str, user: User, *, origin: Origin, now: datetime) -> None:
    record_audit(
        action=action,
        user_id=user.pk,
        origin=origin,
        resource_type="user",
        resource_id=str(user.pk),
        now=now,
    )
