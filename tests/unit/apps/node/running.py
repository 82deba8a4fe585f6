"""A node as a real server process with the real pipeline, and a program that uses it."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from django.db import connection

from apps.node.models import Job, NodeStatus, User
from tests.unit.apps.node.conftest import Account, ServerProcess, make_account

PASSWORD = "zip-Password_1"
SUBMIT = "/api/v2/jobs/submit/imputationserver2"
UPLOAD_LIMIT = 64 << 20


class Client:
    """A program with an API token at a running node."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token
        self._headers = {"X-Auth-Token": token}

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url + path, headers=self._headers, timeout=60)

    def post(self, study: bytes, **fields: str) -> requests.Response:
        return requests.post(
            self.url + SUBMIT,
            headers=self._headers,
            data={
                "refpanel": "apps@kit-afr@1.0.0",
                "build": "hg38",
                "phasing": "no_phasing",
                "population": "off",
                "password": PASSWORD,
                **fields,
            },
            files={"files": ("study.vcf.gz", study)},
            timeout=60,
        )

    def submit(self, study: bytes, **fields: str) -> str:
        answer = self.post(study, **fields)
        assert answer.ok, answer.text
        return str(answer.json()["id"])

    def job(self, job_id: str) -> Any:
        return self.get(f"/api/v2/jobs/{job_id}/status").json()

    def wait(self, job_id: str, until: Callable[[Any], bool]) -> list[Any]:
        """The job each time it was asked for, until one is as wanted."""
        seen = []
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            seen.append(self.job(job_id))
            if until(seen[-1]):
                return seen
            time.sleep(0.1)
        pytest.fail(f"Job {job_id} did not get there: {seen[-1]}")

    def download(self, file: Any) -> requests.Response:
        return requests.get(f"{self.url}/share/results/{file['hash']}/{file['name']}", timeout=60)


def eventually(holds: Callable[[], bool]) -> None:
    """Wait for what a server does behind its answer."""
    deadline = time.monotonic() + 30
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail("It did not come to that.")
        time.sleep(0.05)


def files_of(job: Any) -> dict[str, Any]:
    return {file["name"]: file for output in job["outputParams"] for file in output["files"]}


def texts_of(job: Any) -> str:
    return "\n".join(m["message"] for step in job["steps"] for m in step["logMessages"])


def has_ended(job: Any) -> bool:
    return job["state"] not in {1, 2, 3}


def is_held(job: Any) -> bool:
    return "Held at" in texts_of(job)


def commit(write: Callable[[], object]) -> None:
    """Do `write` outside of the test's own transaction, so that the node sees it."""

    def run() -> None:
        try:
            write()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result()


@dataclass(frozen=True, kw_only=True)
class Node:
    """A running node: its process, a client of it, and the word that holds its jobs."""

    server: ServerProcess
    account: Account
    client: Client
    hold: Path
    environment: dict[str, str] = field(default_factory=dict)

    def restart(self, **environment: str) -> None:
        self.server.start(
            NODE_HOLD_FILE=str(self.hold),
            NODE_UPLOAD_LIMIT_MB=str(UPLOAD_LIMIT >> 20),
            **{**self.environment, **environment},
        )

    def pipeline(self) -> list[psutil.Process]:
        """The processes of all jobs at work."""
        return list(psutil.Process(self.server.pid).children(recursive=True))


@contextmanager
def a_running_node(data: Path, panels: Path, **environment: str) -> Iterator[Node]:
    """A node on `data` with these panels and one user; its rows go with it.

    Its writes are seen at once; a test's own would not be, hence `commit`.
    """
    (data / "panels").symlink_to(panels)
    account = make_account("fatou")  # a committed row, beside those of other tests
    server = ServerProcess(data, data / "node.log")
    node = Node(
        server=server,
        account=account,
        client=Client(server.url, account.api_token),
        hold=data / "hold",
        environment=environment,
    )
    try:
        node.restart()
        yield node
    finally:
        server.stop()
        for model in (Job, User, NodeStatus):
            model.objects.all().delete()
        connection.close()
