"""What keeps the platform governable: nobody reaches above himself, and somebody always governs."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction

from federated_imputation.monolith.accounts.operations.refusals import Conflict
from federated_imputation.monolith.accounts.queries.people import administrators
from federated_imputation.monolith.accounts.rights import Rights

__all__ = ["keeping_an_administrator", "refuse_reaching_above"]


@contextmanager
def keeping_an_administrator() -> Iterator[None]:
    """A transaction that is undone when it leaves no active user who may manage users.

    Two of them run one after the other, so that two administrators cannot remove each other.

    Raises:
        Conflict: Nobody would be left.
    """
    with transaction.atomic():
        list(administrators().select_for_update(of=("self",), no_key=True).values_list("pk"))
        yield
        if not administrators().exists():
            raise Conflict("Nobody would be left who may manage users.")


def refuse_reaching_above(by: Rights, user: User) -> None:
    """Let a superuser be changed by superusers alone.

    Raises:
        PermissionDenied: `user` is one and the caller is not.
    """
    if user.is_superuser and not by.is_superuser:
        raise PermissionDenied("Only a superuser may change a superuser.")
