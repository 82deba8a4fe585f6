"""Requests whose bodies find no room on the disk.

Django stores a body before there is a request, so that a full disk would end as a bare 500 of the
server, or as a broken connection. Here it becomes an answer like all others.
"""

from apps.shared.asgi import Application, Message, Receive, Refusal, Scope, Send, refuse
from apps.shared.durable import is_no_room

__all__ = ["with_room"]


def with_room(application: Application, refusal: Refusal) -> Application:
    """`application`, answering with `refusal` when a body cannot be stored.

    Must stand directly around Django's application: what it raises has not been answered yet.
    """

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        is_answered = False

        async def send_and_note(message: Message) -> None:
            nonlocal is_answered
            is_answered = True
            await send(message)

        try:
            await application(scope, receive, send_and_note)
            return
        except OSError as error:
            if is_answered or scope["type"] != "http" or not is_no_room(error):
                raise
        await refuse(application, scope, refusal, receive, send)

    return handle
