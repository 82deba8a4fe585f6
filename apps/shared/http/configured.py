"""The guarded client as the running deployment configures it."""

from typing import Final

from django.conf import settings

from apps.shared.http.client import GuardedClient
from apps.shared.http.keeping import Connections
from apps.shared.observability.middleware import request_id

__all__ = ["from_settings"]

_KEPT: Final = Connections()


def from_settings() -> GuardedClient:
    """A client that allows `settings.GUARDED_HTTP_ALLOW` and passes the current request id on.

    All of a process share their kept connections.
    """
    return GuardedClient(
        allow=frozenset(settings.GUARDED_HTTP_ALLOW), request_id=request_id.get, kept=_KEPT
    )
