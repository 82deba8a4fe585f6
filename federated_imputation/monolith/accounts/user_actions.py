"""What operators do to users on their admin pages, each row by the operation for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils import timezone

from apps.shared.admin.confirming import NotDone, RowAction
from apps.shared.api.origin import origin_of
from federated_imputation.monolith.accounts.operations.administrators import refuse_reaching_above
from federated_imputation.monolith.accounts.operations.login import LimitsAway, unlock_user
from federated_imputation.monolith.accounts.operations.refusals import Conflict, Unknown
from federated_imputation.monolith.accounts.operations.users import update_user
from federated_imputation.monolith.accounts.queries import find_rights

__all__ = ["USER_ACTIONS"]


@contextmanager
def _told_refusals() -> Iterator[None]:
    try:
        yield
    except (Conflict, PermissionDenied, LimitsAway) as refused:
        raise NotDone(str(refused)) from None
    except (Unknown, User.DoesNotExist):
        raise NotDone("There is no such user any more.") from None


def _foresee_deactivation(request: HttpRequest, user: User) -> str:
    if not user.is_active:
        raise NotDone("The account is not active.")
    if user.pk == request.user.pk:
        raise NotDone("Nobody may deactivate himself.")
    with _told_refusals():
        refuse_reaching_above(find_rights(request.user), user)
    return "The account is closed: sessions and tokens end for good. What it owns stays."


def _foresee_activation(request: HttpRequest, user: User) -> str:
    if user.is_active:
        raise NotDone("The account is active already.")
    with _told_refusals():
        refuse_reaching_above(find_rights(request.user), user)
    return "The account is open again; its user logs in anew."


def _foresee_unlocking(request: HttpRequest, user: User) -> str:
    with _told_refusals():
        refuse_reaching_above(find_rights(request.user), user)
    return "Wrong passwords are forgotten, so that the user may try again."


def _deactivate(request: HttpRequest, user: User) -> str:
    _set_active(request, user, is_active=False)
    return "Deactivated; sessions and tokens have ended."


def _activate(request: HttpRequest, user: User) -> str:
    _set_active(request, user, is_active=True)
    return "Activated."


def _set_active(request: HttpRequest, user: User, *, is_active: bool) -> None:
    with _told_refusals():
        update_user(
            user.pk,
            wanted={"is_active": is_active},
            by=find_rights(request.user),
            origin=origin_of(request),
            now=timezone.now(),
        )


def _unlock(request: HttpRequest, user: User) -> str:
    by = find_rights(request.user)
    with _told_refusals():
        refuse_reaching_above(by, user)
        forgotten = unlock_user(
            user.pk,
            by=by,
            origin=origin_of(request),
            now=timezone.now(),
        )
    return f"May log in; wrong passwords forgotten: {forgotten}."


USER_ACTIONS: Final = (
    RowAction(
        name="deactivate",
        title="Deactivate",
        permission="change",
        foresee=_foresee_deactivation,
        act=_deactivate,
    ),
    RowAction(
        name="activate",
        title="Activate",
        permission="change",
        foresee=_foresee_activation,
        act=_activate,
    ),
    RowAction(
        name="unlock",
        title="Unlock",
        permission="change",
        foresee=_foresee_unlocking,
        act=_unlock,
    ),
)
