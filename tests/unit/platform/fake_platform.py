"""A small server that speaks the platform's API: what its callers send, and what it answers."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

__all__ = ["CONTENT", "Answers", "FakePlatform", "serve"]

CONTENT = bytes(range(256)) * 2_000


class Answers(list[Any]):
    """Answers to one path, given one after the other; the last is repeated."""


class FakePlatform(BaseHTTPRequestHandler):
    """Answers each path from `answers`; `Answers` are given in turn.

    Every download is of `content`, and is cut after `cut_after` bytes, once.
    """

    url: ClassVar[str] = ""
    answers: ClassVar[dict[str, Any]] = {}
    content: ClassVar[bytes] = CONTENT
    cut_after: ClassVar[int | None] = None
    ignores_ranges: ClassVar[bool] = False
    ranges: ClassVar[list[str | None]] = []
    received: ClassVar[bytes] = b""

    def do_GET(self) -> None:
        if self.path.endswith("/download/"):
            self._download()
        else:
            self._answer(self.answers.get(self.path))

    def do_POST(self) -> None:
        type(self).received = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(self.answers.get(self.path))

    def _answer(self, content: Any) -> None:
        if isinstance(content, Answers):
            content = content.pop(0) if len(content) > 1 else content[0]
        body = json.dumps(content if content is not None else {"detail": "Not found."}).encode()
        self.send_response(200 if content is not None else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _download(self) -> None:
        asked = self.headers.get("Range")
        self.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if self.ignores_ranges:
            asked, start = None, 0
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header(
                "Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"
            )
        self.send_header("Content-Length", str(len(self.content) - start))
        self.end_headers()
        stop = len(self.content) if type(self).cut_after is None else start + (self.cut_after or 0)
        type(self).cut_after = None
        self.wfile.write(self.content[start:stop])
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Keep the test's output clean."""


@contextmanager
def serve() -> Iterator[type[FakePlatform]]:
    """A server on a free port; its handler, whose class attributes a test sets and reads."""

    class Fresh(FakePlatform):
        answers: ClassVar[dict[str, Any]] = {}
        ranges: ClassVar[list[str | None]] = []

    server = ThreadingHTTPServer(("127.0.0.1", 0), Fresh)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    Fresh.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield Fresh
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
