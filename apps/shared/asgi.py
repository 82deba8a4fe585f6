"""ASGI around Django's application: start and stop, and bodies that are too large.

Django itself answers no lifespan events, and it stores a request's whole body on disk before the
first of its middleware runs. Both are settled out here (ASGI specification 3.0, `lifespan` and
`http`).
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "Application",
    "BodyAllowance",
    "BodyRule",
    "Lifespan",
    "Scope",
    "keep_bodies_in",
    "with_body_rule",
    "with_lifespan",
]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Lifespan = Callable[[], AbstractAsyncContextManager[None]]

# After a refusal the client gets this much of a chance to finish sending and read the answer.
_DRAIN_SECONDS = 5.0
_DRAIN_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class BodyAllowance:
    """How many bytes a request may send, and the JSON answer to one that sends more."""

    limit: int
    status: int
    answer: Mapping[str, Any]


BodyRule = Callable[[Scope], Awaitable[BodyAllowance]]


def with_lifespan(application: Application, lifespan: Lifespan) -> Application:
    """`application`, with `lifespan` entered before the first request and left after the last.

    An exception on the way in makes the server end at once instead of serving.
    """

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await application(scope, receive, send)
            return
        await receive()
        context = lifespan()
        try:
            await context.__aenter__()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await context.__aexit__(None, None, None)
        await send({"type": "lifespan.shutdown.complete"})

    return handle


def with_body_rule(application: Application, rule: BodyRule) -> Application:
    """`application`, never given more of a request's body than `rule` allows.

    A body whose `Content-Length` is too large is refused before any of it is read; one without a
    length, as soon as too much has come.
    """

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        allowance = await rule(scope)
        if _announced_length(scope) > allowance.limit:
            await _refuse(allowance, receive, send)
            return
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > allowance.limit:
                raise _BodyTooLarge
            return message

        try:
            await application(scope, receive_counted, send)
        except _BodyTooLarge:
            await _refuse(allowance, receive, send)

    return handle


def keep_bodies_in(folder: Path, *, forget_after: float = 0.0) -> None:
    """Keep arriving request bodies of this process in `folder`, and forget those left there.

    Django stores a body in the system's temporary folder, whatever its upload settings say; that
    folder is often in memory, and a study is gigabytes.

    Args:
        forget_after: Seconds since the last write after which a file is a killed server's; 0 when
            no other process uses the folder.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # its own server removed it
            if path.is_file() and path.stat().st_mtime <= time.time() - forget_after:
                path.unlink()
    tempfile.tempdir = str(folder)


class _BodyTooLarge(Exception):
    pass


def _announced_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


async def _refuse(allowance: BodyAllowance, receive: Receive, send: Send) -> None:
    body = json.dumps(dict(allowance.answer)).encode()
    await send(
        {
            "type": "http.response.start",
            "status": allowance.status,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
            ],
        }
    )
    # The answer is out, the connection still open: many clients read only after they have sent,
    # and closing on them at once would destroy the answer on its way.
    await send({"type": "http.response.body", "body": body, "more_body": True})
    with suppress(TimeoutError):
        await asyncio.wait_for(_drain(receive), _DRAIN_SECONDS)
    await send({"type": "http.response.body", "body": b""})


async def _drain(receive: Receive) -> None:
    drained = 0
    while drained < _DRAIN_BYTES:
        message = await receive()
        drained += len(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return
