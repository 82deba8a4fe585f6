"""Who is asking."""

from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request

__all__ = ["caller_id"]


def caller_id(request: Request) -> int:
    """The numeric id of the user who makes the request.

    Raises:
        NotAuthenticated: Nobody in particular does.
    """
    found = request.user.pk
    if found is None:
        raise NotAuthenticated
    return int(found)
