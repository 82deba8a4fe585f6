"""ASGI around Django's application: start and stop, and requests that are too large.

Django itself answers no lifespan events, and it stores a request's whole body on disk before the
first of its middleware runs. Both are settled out here (ASGI specification 3.0, `lifespan` and
`http`). What is refused here is still answered by Django, with the refusal in the scope and
nothing of the body, so that the answer has the request id, the headers and the shape of all others
(`apps.shared.api.refusals`).
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

__all__ = [
    "Application",
    "BodyAllowance",
    "BodyRule",
    "Lifespan",
    "Message",
    "Receive",
    "Refusal",
    "Scope",
    "Send",
    "announced_length",
    "keep_bodies_in",
    "refuse",
    "with_body_rule",
    "with_head_limits",
    "with_lifespan",
]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Lifespan = Callable[[], AbstractAsyncContextManager[None]]

# Of the path and the query together, and of all headers, as sent.
_ADDRESS_BYTES: Final = 8 * 1024
_HEADERS_BYTES: Final = 32 * 1024
# All of a refused request's head that its answer needs.
_KEPT_HEADERS: Final = frozenset(
    {b"host", b"x-forwarded-for", b"x-forwarded-proto", b"x-request-id", b"user-agent"}
)
_KEPT_BYTES: Final = 1024
# After a refusal the client gets this much of a chance to finish sending and read the answer.
_DRAIN_SECONDS: Final = 5.0
_DRAIN_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """The JSON answer to a request that Django is not to look at: `scope["refusal"]`."""

    status: int
    answer: Mapping[str, Any]


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


def with_head_limits(application: Application) -> Application:
    """`application`, given no request whose address or headers are too large or not ASCII.

    414, 431 and 400 (RFC 9110 15.5.15, RFC 6585 5, RFC 3986 2).
    """

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        refusal = _head_refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await application(scope, receive, send)
        else:
            await refuse(application, {**scope, "query_string": b""}, refusal, receive, send)

    return handle


def with_body_rule(application: Application, rule: BodyRule) -> Application:
    """`application`, never given more of a request's body than `rule` allows.

    A body whose `Content-Length` is too large is refused before any of it is read; one without a
    length, as soon as too much has come.
    """

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "refusal" in scope:
            await application(scope, receive, send)
            return
        allowance = await rule(scope)
        refusal = Refusal(status=allowance.status, answer=allowance.answer)
        if announced_length(scope) > allowance.limit:
            await refuse(application, scope, refusal, receive, send)
            return
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > allowance.limit:
                # Django, which reads all before it answers anything, forgets what it has.
                return {"type": "http.disconnect"}
            return message

        await application(scope, receive_counted, send)
        if received > allowance.limit:
            await refuse(application, scope, refusal, receive, send)

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


def announced_length(scope: Scope) -> int:
    """The `Content-Length` of a request; 0 when there is none."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _head_refusal(scope: Scope) -> Refusal | None:
    query = scope.get("query_string", b"")
    if len(scope.get("raw_path") or scope["path"]) + len(query) > _ADDRESS_BYTES:
        return Refusal(status=414, answer={"detail": "The address is too long."})
    if sum(len(name) + len(value) for name, value in scope["headers"]) > _HEADERS_BYTES:
        return Refusal(status=431, answer={"detail": "The headers are too large."})
    if not query.isascii():
        return Refusal(status=400, answer={"detail": "Bad request."})
    return None


async def refuse(
    application: Application, scope: Scope, refusal: Refusal, receive: Receive, send: Send
) -> None:
    """Let `application` answer with the refusal, without a body to read, then drain the real one.

    The answer goes out with the connection still open: many clients read only after they have
    sent, and closing on them at once would destroy the answer on its way.
    """
    headers = [
        (name, value)
        for name, value in scope["headers"]
        if name in _KEPT_HEADERS and len(value) <= _KEPT_BYTES
    ]
    read = False

    async def receive_nothing() -> Message:
        nonlocal read
        if read:
            await asyncio.Event().wait()  # until the application, which has answered, cancels it
        read = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send_all_but_the_end(message: Message) -> None:
        await send({**message, "more_body": True} if "body" in message else message)

    await application(
        {**scope, "headers": headers, "refusal": refusal}, receive_nothing, send_all_but_the_end
    )
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
