"""Where a request came from, for the audit log."""

from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest

__all__ = ["Origin", "origin_of"]

# Longer ones are made up: browsers send some 150 characters.
_USER_AGENT_LENGTH: Final = 512


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The client of one request.

    Attributes:
        address: IP address of the client, `None` when the server does not know it (a socket
            file). Behind trusted proxies it is the one that they saw.
        user_agent: '' when the client sends none; at most 512 characters, all of which the
            database can hold.
    """

    address: str | None
    user_agent: str


def origin_of(request: HttpRequest) -> Origin:
    """The client of `request`, whatever it sends: a row of the audit log is never lost for it.

    Forwarding headers are not read: `apps.shared.api.hops` has settled the address.
    """
    user_agent = request.headers.get("User-Agent", "")
    return Origin(
        address=request.META.get("REMOTE_ADDR") or None,
        user_agent=_storable(user_agent)[:_USER_AGENT_LENGTH],
    )


def _storable(text: str) -> str:
    """`text` without what PostgreSQL refuses: NUL, and halves of surrogate pairs."""
    return text.replace("\0", " ").encode(errors="replace").decode()
