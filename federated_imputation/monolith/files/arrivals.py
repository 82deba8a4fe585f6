"""Request bodies on their way in: how large they may be, and where they lie meanwhile."""

import logging
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.db import DatabaseError, close_old_connections
from django.http import parse_cookie
from django.utils import timezone

from apps.contracts.tokens import CREDENTIALS_HEADER, bearer_token
from apps.shared.api.passing import NO_ROOM
from apps.shared.asgi import BodyAllowance, Refusal, Scope, announced_length, keep_bodies_in
from apps.shared.identity.session_store import SessionStore
from apps.shared.identity.tokens import BadToken
from federated_imputation.monolith.accounts.queries.tokens import find_bearer
from federated_imputation.monolith.files import storage
from federated_imputation.monolith.registry.queries import largest_upload_mb

__all__ = ["lifespan", "no_room", "rule"]

logger = logging.getLogger(__name__)
_Given = ParamSpec("_Given")
_Found = TypeVar("_Found")
_MEGABYTE = 1024 * 1024
_SMALL_MB = 1
_OTHER_FIELDS_MB = 1
_JOB = ("POST", "/api/jobs/")
_FILE = ("POST", "/api/files/")
_DAY_SECONDS = 24 * 3600.0
# A body lies on the disk as it came, and as the file that is made of it.
_COPIES = 2
no_room = Refusal(status=507, answer={"detail": NO_ROOM.sentence})


async def rule(scope: Scope) -> BodyAllowance:
    """Only an upload of somebody who is let in, by session or by token, may be large.

    That of a job may be as large as the service that accepts the most. That of the chosen service
    is checked with the other fields; this limit holds before a byte is stored, when nobody knows
    yet which service it is or whether the user may do it. A file to keep may be as large as all
    that any user may keep; what this one may is looked at when it is here. While the database does
    not answer, nobody is let in, and what is not small is answered with 503. An upload that the
    disk has no room for is answered with 507 before its first byte.
    """
    limit_mb = _SMALL_MB
    asked = scope["method"], scope["path"]
    try:
        if asked in {_JOB, _FILE} and await _is_let_in(scope):
            largest_mb = (
                settings.GENOTYPE_STORAGE_MB if asked == _FILE else await _largest_upload_mb()
            )
            limit_mb = max(_SMALL_MB, largest_mb + _OTHER_FIELDS_MB)
            free = shutil.disk_usage(storage.absolute("")).free
            if min(announced_length(scope), limit_mb * _MEGABYTE) * _COPIES > free:
                logger.error("The disk has %d MB left: an upload is refused.", free // _MEGABYTE)
                return BodyAllowance(limit=0, status=no_room.status, answer=no_room.answer)
    except DatabaseError:
        logger.warning("The database does not answer: nobody may send a large body.")
        answer = {"detail": "Uploads are not possible now. Try again later."}
        return BodyAllowance(limit=_SMALL_MB * _MEGABYTE, status=503, answer=answer)
    answer = {"detail": f"The request is larger than {limit_mb} MB."}
    return BodyAllowance(limit=limit_mb * _MEGABYTE, status=413, answer=answer)


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


def _as_around_a_request(
    look: Callable[_Given, _Found],
) -> Callable[_Given, Awaitable[_Found]]:
    """`look` in a thread, with care for the connection to the database that a request has."""

    def look_with_care(*args: _Given.args, **kwargs: _Given.kwargs) -> _Found:
        close_old_connections()
        try:
            return look(*args, **kwargs)
        finally:
            close_old_connections()

    return sync_to_async(look_with_care)


_largest_upload_mb = _as_around_a_request(largest_upload_mb)


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
