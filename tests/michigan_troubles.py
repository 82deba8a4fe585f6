"""Trouble that a scripted service makes (`tests.michigan_server`).

`server.next("submit", Hang())` scripts the next answer to one kind of call; several calls queue up.
Kinds: `server app submit list job cancel restart download sites site`, or `any`. What can be
scripted:

    Reply(503, {"message": "…", "success": False})   any status; JSON, text or bytes;
                              headers, None to leave one out
    CutRequest(after=1000)    reads that many bytes of the request's body, then cuts the connection
    CutAnswer(after=10)       does the call and sends that many bytes of the answer's body
    Silence()                 does the call, closes the connection without an answer: accepted, and
                              nobody was told
    Hang()                    reads the request and answers nothing until the server ends
    Redirect(url)             302
    Raw(b"…")                 sends exactly these bytes, not HTTP if they are not, and closes
    Reset()                   does not do the call and resets the connection
    Flood(size)               does not do the call; answers 200 and that many bytes of JSON
    Drip()                    does not do the call; answers a byte every 50 ms without end
"""

import socket
import struct
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

__all__ = [
    "CutAnswer",
    "CutRequest",
    "Drip",
    "Flood",
    "Hang",
    "Raw",
    "Redirect",
    "Reply",
    "Reset",
    "Script",
    "Scripts",
    "Silence",
    "misbehave",
]

_BLOCK = 1 << 16


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any = b""
    headers: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CutRequest:
    after: int


@dataclass(frozen=True, kw_only=True)
class CutAnswer:
    after: int


@dataclass(frozen=True)
class Silence:
    pass


@dataclass(frozen=True)
class Hang:
    pass


@dataclass(frozen=True)
class Redirect:
    location: str


@dataclass(frozen=True)
class Raw:
    content: bytes


@dataclass(frozen=True)
class Reset:
    pass


@dataclass(frozen=True)
class Flood:
    size: int


@dataclass(frozen=True)
class Drip:
    pass


Script = Reply | CutRequest | CutAnswer | Silence | Hang | Redirect | Raw | Reset | Flood | Drip


class Scripts:
    """What comes next, by kind of call; safe to share between threads."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Script]] = {}
        self._lock = threading.Lock()

    def add(self, kind: str, *scripts: Script) -> None:
        with self._lock:
            self._waiting.setdefault(kind, deque()).extend(scripts)

    def take(self, kind: str) -> Script | None:
        """The next script for a call of `kind`; `None` when there is none."""
        with self._lock:
            for key in (kind, "any"):
                if self._waiting.get(key):
                    return self._waiting[key].popleft()
            return None


def misbehave(
    handler: BaseHTTPRequestHandler, script: Raw | Reset | Flood | Drip, *, ending: threading.Event
) -> None:
    """Answer in no way that HTTP knows, until `ending` at the longest."""
    handler.close_connection = True
    head = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"
    match script:
        case Raw(content=content):
            handler.wfile.write(content)
        case Reset():
            handler.connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            handler.connection.close()
        case Flood(size=size):
            handler.wfile.write(head + b'"')
            for _ in range(0, size, _BLOCK):
                handler.wfile.write(b"a" * _BLOCK)
        case Drip():
            handler.wfile.write(head)
            while not ending.wait(0.05):
                handler.wfile.write(b" ")
