"""An HTTP server on loopback that answers by path, and can be made to wait.

with AnsweringServer({"/health": (200, b"ok")}) as server:
    ...
    assert server.paths == ["/health"]
"""

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

__all__ = ["AnsweringServer"]


class AnsweringServer:
    """See the module.

    Args:
        answers: By path, status and body; any other path is a 404.

    Attributes:
        target: Its `host:port`, for an allow-list.
        paths: Those that were asked for, in order of arrival.
        headers: Of the last request, names in lower case.
        arrived: Set as soon as somebody asks.
        gate: Answers wait while it is cleared.
    """

    def __init__(self, answers: Mapping[str, tuple[int, bytes]]) -> None:
        self.answers = dict(answers)
        self.paths: list[str] = []
        self.headers: dict[str, str] = {}
        self.arrived, self.gate = threading.Event(), threading.Event()
        self.gate.set()
        self._server = _Server(("127.0.0.1", 0), self)
        self.target = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.target}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    def __init__(self, address: tuple[str, int], owner: AnsweringServer) -> None:
        self.owner = owner
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        owner = self.server.owner
        owner.paths.append(self.path)
        owner.headers = {name.lower(): value for name, value in self.headers.items()}
        owner.arrived.set()
        owner.gate.wait()
        status, body = owner.answers.get(self.path, (404, b"no such page"))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
