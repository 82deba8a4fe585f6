"""A Michigan Imputation Server for tests: real HTTP on loopback, scripted, jobs in memory.

    with MichiganServer() as server:
        server.files = {"chr_20.zip": zip_bytes, "qc_report.txt": b"…"}
        client = GuardedClient(allow=frozenset({server.target}))
        service = Michigan(base_url=server.url, token=server.token, client=client)
        …
        assert server.submissions["fip-…"] == 1        # accepted submissions by job-name

Without a script it behaves as the API does (`tests.michigan_protocol`): accepts submissions, moves
a job one state along `states` at each poll of it, offers `files` in its final state, counts
downloads. `server.next("submit", Hang())` scripts trouble (`tests.michigan_troubles`).

Every request is kept in `server.requests` with its headers.
"""

import io
import json
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import unquote, urlsplit

import pyzipper

from tests.michigan_protocol import Form, MichiganService, error, example
from tests.michigan_troubles import (
    CutAnswer,
    CutRequest,
    Drip,
    Flood,
    Hang,
    Raw,
    Redirect,
    Reply,
    Reset,
    Script,
    Scripts,
    Silence,
    misbehave,
)
from tests.servers import free_port

__all__ = ["MichiganServer", "Request", "zip_of"]

_BLOCK = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request as it came; `headers` in lower case."""

    kind: str
    method: str
    path: str
    headers: Mapping[str, str]


class MichiganServer(MichiganService):
    """See the module.

    Args:
        port: On loopback; a free one by default.

    Attributes:
        url: Address, without a slash at the end.
        target: Its `host:port`, for an allow-list.
        token: The one valid API token.
        requests: All of them, in order of arrival.
    """

    def __init__(self, *, port: int | None = None) -> None:
        super().__init__()
        self.port = port or free_port()
        self.target = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.target}"
        self.token = "test-token.0123456789"
        self.requests: list[Request] = []
        self.scripts = Scripts()
        self.ending = threading.Event()
        self._server = _Server(("127.0.0.1", self.port), self)
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
        self.ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next(self, kind: str, *scripts: Script) -> None:
        """Script the next answers to `kind` of call (or to `any`)."""
        self.scripts.add(kind, *scripts)

    def count(self, kind: str) -> int:
        """How many calls of `kind` arrived."""
        return sum(request.kind == kind for request in self.requests)


def zip_of(members: Mapping[str, bytes], *, password: str | None = None, level: int = 6) -> bytes:
    """A zip with AES-256 when there is a password; `level` 0 does not compress."""
    whole = io.BytesIO()
    encryption = {"encryption": pyzipper.WZ_AES} if password else {}
    with pyzipper.AESZipFile(
        whole, "w", compression=pyzipper.ZIP_DEFLATED, compresslevel=level, **encryption
    ) as archive:
        if password:
            archive.setpassword(password.encode())
        for name, content in members.items():
            archive.writestr(name, content)
    return whole.getvalue()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, address: tuple[str, int], owner: MichiganServer) -> None:
        super().__init__(address, _Handler)
        self.owner = owner

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients of these tests break connections on purpose; stay silent about it."""


class _Handler(BaseHTTPRequestHandler):
    timeout = 20
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        owner, parts = self.server.owner, urlsplit(self.path)
        kind = _kind(parts.path)
        owner.requests.append(
            Request(
                kind=kind,
                method=self.command,
                path=self.path,
                headers={name.lower(): value for name, value in self.headers.items()},
            )
        )
        script = owner.scripts.take(kind)
        length = int(self.headers.get("Content-Length", 0))
        if isinstance(script, CutRequest):
            self.rfile.read(min(script.after, length))
            self.close_connection = True
            return
        with tempfile.TemporaryFile() as body:
            self._receive(body, length)
            if isinstance(script, Hang):
                owner.ending.wait()
            elif isinstance(script, Reply):
                self._send(script.status, script.body, script.headers)
            elif isinstance(script, Redirect):
                self._send(302, b"", {"Location": script.location})
            elif isinstance(script, Raw | Reset | Flood | Drip):
                misbehave(self, script, ending=owner.ending)
            else:
                status, answer = self._do(kind, parts.path, parts.query, body)
                if not isinstance(script, Silence):
                    cut = script.after if isinstance(script, CutAnswer) else None
                    self._send(status, answer, {}, cut=cut)

    def _do(self, kind: str, path: str, query: str, body: IO[bytes]) -> tuple[int, Any]:
        owner = self.server.owner
        if kind == "other":
            return error(404, "Not found.")
        if kind != "download" and self.headers.get("X-Auth-Token") != owner.token:
            return example("error-not-authenticated")
        if kind == "submit":
            form = Form.read(body, self.headers.get("Content-Type", ""))
            return owner.submit(form, unquote(path.rpartition("/")[2]))
        return owner.answer(kind, self.command, path, query)

    def _receive(self, body: IO[bytes], length: int) -> None:
        while length > 0 and (block := self.rfile.read(min(_BLOCK, length))):
            body.write(block)
            length -= len(block)
        if length > 0:
            raise ConnectionAbortedError  # half a body makes no job, here as at the real server
        body.seek(0)

    def _send(
        self, status: int, answer: Any, headers: Mapping[str, str | None], cut: int | None = None
    ) -> None:
        if isinstance(answer, str):
            answer, content_type = answer.encode(), "text/html"
        elif isinstance(answer, bytes):
            content_type = "application/octet-stream"
        else:
            answer, content_type = json.dumps(answer).encode(), "application/json"
        if "Date" in headers:
            self.send_response_only(status)
        else:
            self.send_response(status)
        self.send_header("Content-Type", content_type)
        for name, value in {"Content-Length": str(len(answer)), **headers}.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer if cut is None else answer[:cut])


def _kind(path: str) -> str:
    if path == "/api/v2/server":
        return "server"
    if path.startswith("/api/v2/server/apps/"):
        return "app"
    if path.startswith("/api/v2/jobs/submit/"):
        return "submit"
    if path == "/api/v2/jobs":
        return "list"
    if path.startswith("/api/v2/panels/"):
        return "sites" if path.endswith("/sites") else "site"
    if path.startswith("/share/results/"):
        return "download"
    if path.startswith("/api/v2/jobs/"):
        ending = path.rpartition("/")[2]
        return ending if ending in {"cancel", "restart"} else "job"
    return "other"
