"""A Michigan Imputation Server for tests: real HTTP on loopback, scripted, jobs in memory.

    with MichiganServer() as server:
        server.files = {"chr_20.zip": zip_bytes, "qc_report.txt": b"…"}
        client = GuardedClient(allow=frozenset({server.target}))
        service = Michigan(base_url=server.url, token=server.token, client=client)
        …
        assert server.submissions["fip-…"] == 1        # accepted submissions by job-name

Without a script it behaves as the API does: accepts submissions, moves a job one state along
`states` at each poll of it, offers `files` in its final state, counts downloads.

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

Every request is kept in `server.requests` with its headers. Bodies have the shapes of
`apps/contracts/examples/michigan`.
"""

import copy
import hashlib
import io
import itertools
import json
import re
import socket
import struct
import tempfile
import threading
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import pyzipper

from apps.contracts import examples
from tests.servers import free_port

__all__ = [
    "CutAnswer",
    "CutRequest",
    "Drip",
    "Flood",
    "Hang",
    "MichiganServer",
    "Raw",
    "Redirect",
    "Reply",
    "Request",
    "Reset",
    "Silence",
    "zip_of",
]

_EXAMPLES = examples.load("michigan")
_BLOCK = 1 << 16
_PAGE_SIZE = 15
_EXAMPLE_OF_STATE = {
    -1: "job-dead",
    1: "job-waiting-next",
    2: "job-running",
    3: "job-exporting",
    4: "job-success",
    5: "job-failed",
    6: "job-cancelled",
    7: "job-retired",
    8: "job-success-notified",
    9: "job-failed-notified",
    10: "job-deleted",
}
_WITH_FILES = {4, 5, 6, 8, 9}


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


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request as it came; `headers` in lower case."""

    kind: str
    method: str
    path: str
    headers: Mapping[str, str]


@dataclass(kw_only=True)
class Job:
    """A job in memory; `states` are those still to come, the last one stays."""

    id: str
    name: str
    fields: dict[str, str]
    uploads: dict[str, tuple[int, str]]  # file name -> size, SHA-256
    states: deque[int]
    downloaded: Counter[str] = field(default_factory=Counter)

    @property
    def state(self) -> int:
        return self.states[0]


class MichiganServer:
    """See the module.

    Args:
        port: On loopback; a free one by default.

    Attributes:
        url: Address, without a slash at the end.
        target: Its `host:port`, for an allow-list.
        token: The one valid API token.
        states: What a new job goes through, one a poll.
        files: What a finished job offers, by name.
        sites: By panel key, the site files by chromosome; a panel that is not there has none.
        downloads: How often each file may be fetched.
        maintenance: Whether it refuses submissions with 503.
        job_limit: Unfinished jobs that the user may have.
        jobs: By id, oldest first.
        submissions: Accepted submissions by job-name.
        requests: All of them, in order of arrival.
    """

    def __init__(self, *, port: int | None = None) -> None:
        self.port = port or free_port()
        self.target = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.target}"
        self.token = "test-token.0123456789"
        self.states: tuple[int, ...] = (1, 2, 3, 4)
        self.files: dict[str, bytes] = {}
        self.sites: dict[str, dict[str, bytes]] = {}
        self.downloads = 10
        self.maintenance = False
        self.job_limit = 1000
        self.jobs: dict[str, Job] = {}
        self.submissions: Counter[str] = Counter()
        self.requests: list[Request] = []
        self._scripts: dict[str, deque[Script]] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._ending = threading.Event()
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
        self._ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next(self, kind: str, *scripts: Script) -> None:
        """Script the next answers to `kind` of call (or to `any`)."""
        with self._lock:
            self._scripts.setdefault(kind, deque()).extend(scripts)

    def count(self, kind: str) -> int:
        """How many calls of `kind` arrived."""
        return sum(request.kind == kind for request in self.requests)

    def add_job(self, name: str, *states: int) -> Job:
        """A job that somebody submitted earlier; the newest of the list."""
        with self._lock:
            return self._new_job(name, states or self.states, {}, {})

    def answer_about(self, job: Job) -> dict[str, Any]:
        """What it says of the job now, without moving it on."""
        with self._lock:
            return self._job(job, is_poll=False)

    def hash_of(self, job: Job, name: str) -> str:
        """The key to a result file in its download link."""
        return hashlib.sha256(f"{job.id}/{name}".encode()).hexdigest()

    # What the handler threads ask.

    def _script_for(self, kind: str) -> Script | None:
        with self._lock:
            for key in (kind, "any"):
                if self._scripts.get(key):
                    return self._scripts[key].popleft()
            return None

    def _new_job(
        self,
        name: str,
        states: tuple[int, ...],
        fields: dict[str, str],
        uploads: dict[str, tuple[int, str]],
    ) -> Job:
        number = next(self._numbers)
        job = Job(
            id=f"job-20261001-101500-{number:03d}",
            name=name,
            fields=fields,
            uploads=uploads,
            states=deque(states),
        )
        job.name = name or job.id
        self.jobs[job.id] = job
        return job

    def _submit(self, form: "_Form", application: str) -> tuple[int, Any]:
        with self._lock:
            if self.maintenance:
                return _example("error-submit-maintenance")
            if application.split("@")[0] != "imputationserver2":
                return _error(404, f"Application '{application}' not found.")
            if sum(job.state in {1, 2, 3} for job in self.jobs.values()) >= self.job_limit:
                return _error(
                    400, f"Only {self.job_limit} jobs per user can be executed simultaneously."
                )
            for name in form.fields:
                if name not in _FIELDS:
                    return _error(400, f"Parameter '{name}' not found.")
            tag = form.fields.get("job-name", "")
            job = self._new_job(tag, self.states, form.fields, form.files)
            self.submissions[job.name] += 1
            return 200, {**_body("submit-accepted"), "id": job.id}

    def _job(self, job: Job, *, is_poll: bool) -> dict[str, Any]:
        body: dict[str, Any] = copy.deepcopy(_body(_EXAMPLE_OF_STATE[job.state]))
        body.update(id=job.id, name=job.name)
        if body["outputParams"] and job.state in _WITH_FILES:
            output = body["outputParams"][0]
            output["files"] = [
                {
                    **_body("job-success")["outputParams"][0]["files"][0],
                    "name": name,
                    "path": f"{job.id}/output/{name}",
                    "hash": self.hash_of(job, name),
                    "count": self.downloads - job.downloaded[name],
                    "size": f"{len(content)} bytes",
                }
                for name, content in self.files.items()
            ]
            for other in body["outputParams"][1:]:
                other["files"] = []
        if is_poll and len(job.states) > 1:
            job.states.popleft()
        return body

    def _answer(self, kind: str, method: str, path: str, query: str) -> tuple[int, Any]:
        """Everything but a submission."""
        with self._lock:
            match kind:
                case "server":
                    name = "server-in-maintenance" if self.maintenance else "server-with-token"
                    return 200, _body(name)
                case "app":
                    return _example("error-app-maintenance" if self.maintenance else "app")
                case "list":
                    return 200, self._list(query)
                case "download":
                    return self._download(path)
                case "sites" | "site":
                    return self._sites(unquote(path))
            job = self.jobs.get(path.split("/")[4])
            if job is None:
                return _error(404, f"Job {path.split('/')[4]} not found.")
            if kind == "restart":
                if job.state != -1:
                    return _error(400, f"Job {job.id} is not pending.")
                job.states = deque(self.states)
                return _example("job-restarted")
            if kind == "cancel" and job.state in {1, 2, 3}:
                job.states = deque([6])
            return 200, self._job(job, is_poll=kind == "job")

    def _list(self, query: str) -> dict[str, Any]:
        newest_first = [self._job(job, is_poll=False) for job in reversed(self.jobs.values())]
        body = copy.deepcopy(_body("jobs-none"))
        page = parse_qs(query).get("page")
        body["count"] = body["pageSize"] = len(newest_first)
        body["data"] = newest_first
        if page:
            number = int(page[0])
            start = (number - 1) * _PAGE_SIZE
            body.update(
                page=number,
                pageSize=_PAGE_SIZE,
                prev=number - 1 if number > 1 else None,
                next=number + 1 if start + _PAGE_SIZE < len(newest_first) else None,
                data=newest_first[start : start + _PAGE_SIZE],
            )
        return body

    def _sites(self, path: str) -> tuple[int, Any]:
        key, _, name = path.removeprefix("/api/v2/panels/").partition("/sites")
        chromosomes = self.sites.get(key)
        if chromosomes is None:
            return _error(404, f"Reference panel '{key}' not found.")
        if name:
            return 200, chromosomes[name.removeprefix("/").removesuffix(".vcf.gz")]
        listed = [
            {"name": each, "size": len(text), "sha256": hashlib.sha256(text).hexdigest()}
            for each, text in chromosomes.items()
        ]
        return 200, {"panel": key, "build": "hg38", "chromosomes": listed}

    def _download(self, path: str) -> tuple[int, Any]:
        _, _, _, key, name = unquote(path).split("/", 4)
        for job in self.jobs.values():
            if name in self.files and self.hash_of(job, name) == key:
                if job.downloaded[name] >= self.downloads:
                    return _example("error-download-exhausted")
                job.downloaded[name] += 1
                return 200, self.files[name]
        return _example("error-download-not-found")


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


_FIELDS = {
    "job-name", "files", "refpanel", "population", "build", "r2Filter", "phasing", "mode",
    "aesEncryption", "meta", "password", "check1", "check2", "myseparator",
}  # fmt: skip


def _body(name: str) -> dict[str, Any]:
    body: dict[str, Any] = _EXAMPLES[name].body
    return body


def _example(name: str) -> tuple[int, Any]:
    return _EXAMPLES[name].status, _EXAMPLES[name].body


def _error(status: int, message: str) -> tuple[int, Any]:
    return status, {"message": message, "success": False}


@dataclass
class _Form:
    """A multipart body, read from a file so that an upload is never whole in memory."""

    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, tuple[int, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, body: IO[bytes], content_type: str) -> "_Form":
        boundary = content_type.partition("boundary=")[2].strip('"').encode()
        form, name, file_name = cls(), "", None
        content: list[bytes] = []
        size, digest = 0, hashlib.sha256()
        held = b""  # the line end before a boundary belongs to the boundary
        in_headers = False
        for line in _lines(body):
            if line.startswith(b"--" + boundary):
                if file_name is not None:
                    form.files[file_name] = (size, digest.hexdigest())
                elif name:
                    form.fields[name] = b"".join(content).decode()
                name, file_name, content, held, in_headers = "", None, [], b"", True
                size, digest = 0, hashlib.sha256()
            elif in_headers:
                found = dict(re.findall(rb'(name|filename)="([^"]*)"', line))
                if b"name" in found:
                    name = found[b"name"].decode()
                    file_name = found[b"filename"].decode() if b"filename" in found else None
                in_headers = line != b"\r\n"
            else:
                piece = held + line
                held = b"\r\n" if piece.endswith(b"\r\n") else b""
                piece = piece.removesuffix(b"\r\n")
                size += len(piece)
                digest.update(piece)
                if file_name is None:
                    content.append(piece)
        return form


def _lines(body: IO[bytes]) -> Iterator[bytes]:
    while line := body.readline(_BLOCK):
        yield line


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
        script = owner._script_for(kind)
        length = int(self.headers.get("Content-Length", 0))
        if isinstance(script, CutRequest):
            self.rfile.read(min(script.after, length))
            self.close_connection = True
            return
        with tempfile.TemporaryFile() as body:
            self._receive(body, length)
            if isinstance(script, Hang):
                owner._ending.wait()
            elif isinstance(script, Reply):
                self._send(script.status, script.body, script.headers)
            elif isinstance(script, Redirect):
                self._send(302, b"", {"Location": script.location})
            elif isinstance(script, Raw | Reset | Flood | Drip):
                self._misbehave(script)
            else:
                status, answer = self._do(kind, parts.path, parts.query, body)
                if not isinstance(script, Silence):
                    cut = script.after if isinstance(script, CutAnswer) else None
                    self._send(status, answer, {}, cut=cut)

    def _misbehave(self, script: "Raw | Reset | Flood | Drip") -> None:
        self.close_connection = True
        head = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"
        match script:
            case Raw(content=content):
                self.wfile.write(content)
            case Reset():
                self.connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
                self.connection.close()
            case Flood(size=size):
                self.wfile.write(head + b'"')
                for _ in range(0, size, _BLOCK):
                    self.wfile.write(b"a" * _BLOCK)
            case Drip():
                self.wfile.write(head)
                while not self.server.owner._ending.wait(0.05):
                    self.wfile.write(b" ")

    def _do(self, kind: str, path: str, query: str, body: IO[bytes]) -> tuple[int, Any]:
        owner = self.server.owner
        if kind == "other":
            return _error(404, "Not found.")
        if kind != "download" and self.headers.get("X-Auth-Token") != owner.token:
            return _example("error-not-authenticated")
        if kind == "submit":
            form = _Form.read(body, self.headers.get("Content-Type", ""))
            return owner._submit(form, unquote(path.rpartition("/")[2]))
        return owner._answer(kind, self.command, path, query)

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
