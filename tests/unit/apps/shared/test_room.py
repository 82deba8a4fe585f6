"""A body that the disk cannot take is answered, and nothing else is swallowed."""

import asyncio
import errno

import pytest

from apps.shared.asgi import Message, Receive, Refusal, Scope, Send
from apps.shared.room import with_room

REFUSAL = Refusal(status=507, answer={"detail": "Full."})


class Full:
    """Fails as Django does when it cannot store a body; answers a refusal."""

    def __init__(self, error: OSError, *, answers_first: bool = False) -> None:
        self.error = error
        self.answers_first = answers_first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = scope.get("refusal")
        status = refusal.status if refusal else 200
        if refusal or self.answers_first:
            await send({"type": "http.response.start", "status": status, "headers": []})
        if refusal:
            await send({"type": "http.response.body", "body": b"refused"})
        else:
            await receive()
            raise self.error


def _ask(application: Full) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"x", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    async def ask() -> None:
        scope: Scope = {"type": "http", "headers": [], "path": "/", "method": "POST"}
        await with_room(application, REFUSAL)(scope, receive, send)

    asyncio.run(ask())
    return sent


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_body_without_room_is_refused(number):
    sent = _ask(Full(OSError(number, "no room")))
    assert [message.get("status") for message in sent] == [507, None, None]


def test_an_error_that_is_none_of_room_rises():
    with pytest.raises(OSError, match="denied"):
        _ask(Full(OSError(errno.EACCES, "denied")))


def test_an_error_after_the_answer_rises():
    with pytest.raises(OSError, match="no room"):
        _ask(Full(OSError(errno.ENOSPC, "no room"), answers_first=True))
