"""Request bodies on their way in: how large they may be, and where they lie meanwhile."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookies import CookieError, SimpleCookie

from django.conf import settings

from apps.shared.asgi import BodyAllowance, Scope, keep_bodies_in
from federated_imputation.monolith.files import storage

__all__ = ["lifespan", "rule"]

_SMALL = 10 * 1024 * 1024
_UPLOADS = "/api/jobs/"
_DAY_SECONDS = 24 * 3600.0


def rule(scope: Scope) -> BodyAllowance:
    """Only an upload that brings a session cookie may be large.

    The limit of the chosen service is checked with the other fields; this one holds before a
    byte is stored, when nobody knows yet which service it is or whether the session is good.
    """
    large = scope["path"] == _UPLOADS and _brings_session(scope)
    limit = settings.UPLOAD_LIMIT_MB * 1024 * 1024 if large else _SMALL
    detail = f"The request is larger than {limit // (1024 * 1024)} MB."
    return BodyAllowance(limit=limit, status=413, answer={"detail": detail})


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Keep bodies on the disk of the uploads, which several server processes may share."""
    keep_bodies_in(storage.absolute("uploads/arriving"), forget_after=_DAY_SECONDS)
    yield


def _brings_session(scope: Scope) -> bool:
    header = dict(scope["headers"]).get(b"cookie", b"").decode("latin-1")
    try:
        return settings.SESSION_COOKIE_NAME in SimpleCookie(header)
    except CookieError:
        return False
