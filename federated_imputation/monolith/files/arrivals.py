"""Request bodies on their way in: how large they may be, and where they lie meanwhile."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.db import close_old_connections
from django.http import parse_cookie

from apps.shared.asgi import BodyAllowance, Scope, keep_bodies_in
from apps.shared.identity.session_store import SessionStore
from federated_imputation.monolith.files import storage

__all__ = ["lifespan", "rule"]

_SMALL = 10 * 1024 * 1024
_UPLOADS = "/api/jobs/"
_DAY_SECONDS = 24 * 3600.0


async def rule(scope: Scope) -> BodyAllowance:
    """Only an upload of somebody who is logged in may be large.

    The limit of the chosen service is checked with the other fields; this one holds before a
    byte is stored, when nobody knows yet which service it is or whether the user may do it.
    """
    large = scope["path"] == _UPLOADS and await _is_logged_in(_session_key(scope))
    limit = settings.UPLOAD_LIMIT_MB * 1024 * 1024 if large else _SMALL
    detail = f"The request is larger than {limit // (1024 * 1024)} MB."
    return BodyAllowance(limit=limit, status=413, answer={"detail": detail})


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Keep bodies on the disk of the uploads, which several server processes may share."""
    keep_bodies_in(storage.absolute("uploads/arriving"), forget_after=_DAY_SECONDS)
    yield


def _session_key(scope: Scope) -> str:
    header = dict(scope["headers"]).get(b"cookie", b"").decode("latin-1")
    return parse_cookie(header).get(settings.SESSION_COOKIE_NAME, "")


@sync_to_async
def _is_logged_in(session_key: str) -> bool:
    """Whether this is the key of a session that somebody logged in to and that has not ended."""
    close_old_connections()  # as around a request, which this is not yet
    try:
        return bool(session_key) and SESSION_KEY in SessionStore(session_key)
    finally:
        close_old_connections()
