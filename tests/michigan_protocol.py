"""What a Michigan Imputation Server answers, without HTTP: jobs in memory, one user.

Bodies have the shapes of `apps/contracts/examples/michigan`.
"""

import copy
import hashlib
import itertools
import re
import threading
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import parse_qs, unquote

from apps.contracts import examples

__all__ = ["Form", "Job", "MichiganService", "error", "example"]

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


class MichiganService:
    """Safe to share between threads.

    Attributes:
        states: What a new job goes through, one a poll.
        files: What a finished job offers, by name.
        sites: By panel key, the site files by chromosome; a panel that is not there has none.
        downloads: How often each file may be fetched.
        maintenance: Whether it refuses submissions with 503.
        job_limit: Unfinished jobs that the user may have.
        jobs: By id, oldest first.
        submissions: Accepted submissions by job-name.
    """

    def __init__(self) -> None:
        self.states: tuple[int, ...] = (1, 2, 3, 4)
        self.files: dict[str, bytes] = {}
        self.sites: dict[str, dict[str, bytes]] = {}
        self.downloads = 10
        self.maintenance = False
        self.job_limit = 1000
        self.jobs: dict[str, Job] = {}
        self.submissions: Counter[str] = Counter()
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

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

    def submit(self, form: "Form", application: str) -> tuple[int, Any]:
        with self._lock:
            if self.maintenance:
                return example("error-submit-maintenance")
            if application.split("@")[0] != "imputationserver2":
                return error(404, f"Application '{application}' not found.")
            if sum(job.state in {1, 2, 3} for job in self.jobs.values()) >= self.job_limit:
                return error(
                    400, f"Only {self.job_limit} jobs per user can be executed simultaneously."
                )
            for name in form.fields:
                if name not in _FIELDS:
                    return error(400, f"Parameter '{name}' not found.")
            tag = form.fields.get("job-name", "")
            job = self._new_job(tag, self.states, form.fields, form.files)
            self.submissions[job.name] += 1
            return 200, {**_body("submit-accepted"), "id": job.id}

    def answer(self, kind: str, method: str, path: str, query: str) -> tuple[int, Any]:
        """Everything but a submission."""
        with self._lock:
            match kind:
                case "server":
                    name = "server-in-maintenance" if self.maintenance else "server-with-token"
                    return 200, _body(name)
                case "app":
                    return example("error-app-maintenance" if self.maintenance else "app")
                case "list":
                    return 200, self._list(query)
                case "download":
                    return self._download(path)
                case "sites" | "site":
                    return self._sites(unquote(path))
            job = self.jobs.get(path.split("/")[4])
            if job is None:
                return error(404, f"Job {path.split('/')[4]} not found.")
            if kind == "restart":
                if job.state != -1:
                    return error(400, f"Job {job.id} is not pending.")
                job.states = deque(self.states)
                return example("job-restarted")
            if kind == "cancel" and job.state in {1, 2, 3}:
                job.states = deque([6])
            return 200, self._job(job, is_poll=kind == "job")

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
            return error(404, f"Reference panel '{key}' not found.")
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
                    return example("error-download-exhausted")
                job.downloaded[name] += 1
                return 200, self.files[name]
        return example("error-download-not-found")


_FIELDS = {
    "job-name", "files", "refpanel", "population", "build", "r2Filter", "phasing", "mode",
    "aesEncryption", "meta", "password", "check1", "check2", "myseparator",
}  # fmt: skip


def _body(name: str) -> dict[str, Any]:
    body: dict[str, Any] = _EXAMPLES[name].body
    return body


def example(name: str) -> tuple[int, Any]:
    return _EXAMPLES[name].status, _EXAMPLES[name].body


def error(status: int, message: str) -> tuple[int, Any]:
    return status, {"message": message, "success": False}


@dataclass
class Form:
    """A multipart body, read from a file so that an upload is never whole in memory."""

    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, tuple[int, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, body: IO[bytes], content_type: str) -> "Form":
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
