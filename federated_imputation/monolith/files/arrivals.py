"""Request bodies on their way in: how large they may be, and where they lie meanwhile."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.db import close_old_connections
from django.http import parse_cookie
from django.utils import timezone

from apps.contracts.tokens import CREDENTIALS_HEADER, bearer_token
from apps.shared.asgi import BodyAllowance, Scope, keep_bodies_in
from apps.shared.identity.session_store import SessionStore
from apps.shared.identity.tokens import BadToken
from federated_imputation.monolith.accounts.queries.tokens import find_bearer
from federated_imputation.monolith.files import storage

__all__ = ["lifespan", "rule"]

_SMALL = 10 * 1024 * 1024
_UPLOADS = "/api/jobs/"
_DAY_SECONDS = 24 * 3600.0


async def rule(scope: Scope) -> BodyAllowance:
    """Only an upload of somebody who is let in, by session or by token, may be large.

    The limit of the chosen service is checked with the other fields; this one holds before a
    byte is stored, when nobody knows yet which service it is or whether the user may do it.
    """
    large = scope["path"] == _UPLOADS and await _is_let_in(scope)
    limit = settings.UPLOAD_LIMIT_MB * 1024 * 1024 if large else _SMALL
    detail = f"The request is larger than {limit // (1024 * 1024)} MB."
    return BodyAllowance(limit=limit, status=413, answer={"detail": detail})


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Keep bodies on the disk of the uploads, which several server processes may share."""
    keep_bodies_in(storage.absolute("uploads/arriving"), forget_after=_DAY_SECONDS)
    yield


async def _is_let_in(scope: Scope) -> bool:
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    token = bearer_token(headers.get(CREDENTIALS_HEADER.lower().encode(), ""))
    if token is not None:  # beside a token the cookie counts for nothing
        return await _is_token(token)
    session_key = parse_cookie(headers.get(b"cookie", "")).get(settings.SESSION_COOKIE_NAME, "")
    return bool(session_key) and await _is_session(session_key)


def _as_around_a_request(look: Callable[[str], bool]) -> Callable[[str], Awaitable[bool]]:
    """`look` in a thread, with care for the connection to the database that a request has."""

    def look_with_care(credentials: str) -> bool:
        close_old_connections()
        try:
            return look(credentials)
        finally:
            close_old_connections()

    return sync_to_async(look_with_care)


@_as_around_a_request
def _is_session(session_key: str) -> bool:
    """Whether this is the key of a session that somebody logged in to and that has not ended."""
    return SESSION_KEY in SessionStore(session_key)


@_as_around_a_request
def _is_token(token: str) -> bool:
    """Whether this token is in force; what it may do is for the view to say."""
    try:
        find_bearer(token=token, now=timezone.now())
    except BadToken:
        return False
    return True
