"""Who is asking."""

from typing import TYPE_CHECKING

from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request

if TYPE_CHECKING:
    from django.contrib.auth.models import User

__all__ = ["caller", "caller_id"]


def caller(request: Request) -> "User":
    """The user who makes the request.

    Raises:
        NotAuthenticated: Nobody in particular does.
    """
    if request.user.is_anonymous:
        raise NotAuthenticated
    return request.user


def caller_id(request: Request) -> int:
    """The numeric id of the user who makes the request.

    Raises:
        NotAuthenticated: Nobody in particular does.
    """
    found = request.user.pk
    if found is None:
        raise NotAuthenticated
    return int(found)
