"""Where a request came from, for the audit log."""

from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest

__all__ = ["SHELL", "Origin", "origin_of"]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The client of one request.

    Attributes:
        address: IP address of the client, `None` when the server does not know it (a socket
            file). Behind trusted proxies it is the one that they saw.
        user_agent: As the client sends it, of any length; '' when it sends none.
    """

    address: str | None
    user_agent: str


# A person at the server's shell.
SHELL: Final = Origin(address=None, user_agent="manage.py")


def origin_of(request: HttpRequest) -> Origin:
    """The client of `request`.

    Forwarding headers are not read: `apps.shared.api.hops` has settled the address.
    """
    return Origin(
        address=request.META.get("REMOTE_ADDR") or None,
        user_agent=request.headers.get("User-Agent", ""),
    )
