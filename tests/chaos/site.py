"""One real platform for all hard times, and what people and accidents do to it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import psutil
import psycopg
import requests

from federated_imputation.platform.api_client import Job, OfferedPanel, PlatformApi
from federated_imputation.platform.health import is_ready
from federated_imputation.platform.records import PlatformRecord, read_record
from federated_imputation.platform.state import CHECKOUT, PlatformState
from tests.bgzf import VCF, bgzf
from tests.platforms import OwnPlatform

__all__ = ["STUDY", "Form", "Site", "eventually", "study_of"]

STUDY: Final = CHECKOUT / "apps" / "node" / "kit" / "target.phased.vcf.gz"
_PANEL: Final = "apps@kit-afr@1.0.0"
_PATIENCE: Final = 60.0
_SCRIPTED: Final = "chaos"
T = TypeVar("T")


def eventually(
    look: Callable[[], T], until: Callable[[T], object] = bool, *, seconds: float = _PATIENCE
) -> T:
    """What `look` sees as soon as it is as wanted.

    Raises:
        AssertionError: It is not, after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if until(seen):
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"Not so after {seconds:.0f} s: {seen!r}")
        time.sleep(0.05)


def study_of(size: int) -> bytes:
    """A file of exactly `size` bytes that begins as a VCF.gz does; no service could use it."""
    head = bgzf(VCF)
    return head + bytes(size - len(head))


@dataclass(frozen=True, kw_only=True)
class Form:
    """The body of a submission, bytes as they go over the wire."""

    content_type: str
    body: bytes


class Site:
    """A platform, its administrator logged in, and an address for services of the test's own.

    Attributes:
        url: Of the monolith.
        api: The administrator's view, as a researcher's script has it.
        session: The same, one level lower.
        node: Address and token of the first node.
        service_port: On loopback; jobs may be sent there.
    """

    def __init__(self, platform: OwnPlatform, *, service_port: int) -> None:
        self.platform = platform
        self.service_port = service_port
        self._registered: tuple[str, str] | None = None
        self.state = PlatformState(CHECKOUT / platform.environment["PLATFORM_STATE"])
        told = json.loads(platform.manage("status", "--json", seconds=30).stdout)
        self.urls = {row["name"]: str(row["url"]) for row in told["deployments"]}
        self.url = self.urls["monolith"]
        self.node: dict[str, str] = json.loads(self.state.credentials("node-afr").read_text())
        password = platform.manage("password", seconds=30).stdout.strip()
        self.api = PlatformApi(self.url)
        self.api.log_in("admin", password)
        self.session = requests.Session()
        self.session.trust_env = False
        login = {"username": "admin", "password": password}
        self.session.post(f"{self.url}/api/auth/login/", json=login, timeout=30).raise_for_status()

    # What a researcher does.

    def panel(self, service_url: str | None = None) -> OfferedPanel:
        """The panel of the first node, or of the service at `service_url`."""
        found = self.api.find_panel(service_url=service_url or self.node["url"], key=_PANEL)
        assert found is not None
        return found

    def submit(self, panel: OfferedPanel, *, name: str, study: Path = STUDY) -> str:
        return self.api.submit(
            name=name,
            panel=panel,
            build="hg38",
            population="afr",
            phasing=False,
            input_file=study,
        )

    def form(
        self, panel: OfferedPanel, *, content: bytes, file_name: bytes = b"study.vcf.gz"
    ) -> Form:
        """A submission whose file has any name, also one that no client would send."""
        fields = {
            "name": "Hard times",
            "service": str(panel.service_id),
            "reference_panel": str(panel.id),
            "build": "hg38",
            "population": "afr",
        }
        parts = [
            f'--chaos\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in fields.items()
        ]
        parts.append(
            b'--chaos\r\nContent-Disposition: form-data; name="input_file"; filename="'
            + file_name
            + b'"\r\nContent-Type: application/gzip\r\n\r\n'
            + content
            + b"\r\n--chaos--\r\n"
        )
        return Form(content_type="multipart/form-data; boundary=chaos", body=b"".join(parts))

    def send(self, form: Form, *, chunked: bool = False) -> requests.Response:
        """Submit; `chunked` keeps the length to itself."""
        body: Any = _pieces(form.body) if chunked else form.body
        return self.session.post(
            f"{self.url}/api/jobs/",
            data=body,
            headers={"Content-Type": form.content_type},
            timeout=_PATIENCE,
        )

    def wait(self, job_id: str, *, seconds: float = _PATIENCE) -> Job:
        """The job when it is over."""
        return self.wait_until(job_id, lambda job: job.is_over, seconds=seconds)

    def wait_until(
        self, job_id: str, until: Callable[[Job], bool], *, seconds: float = _PATIENCE
    ) -> Job:
        deadline = time.monotonic() + seconds
        while True:
            job = self.api.job(job_id)
            if until(job):
                return job
            if time.monotonic() > deadline:
                told = "\n".join(event.message for event in job.events)
                raise AssertionError(f"The job is {job.status} after {seconds:.0f} s:\n{told}")
            time.sleep(0.1)

    def job_count(self) -> int:
        answer = self.session.get(f"{self.url}/api/jobs/", timeout=30)
        answer.raise_for_status()
        return int(answer.json()["count"])

    def node_jobs(self, name: str = "") -> list[dict[str, Any]]:
        """Jobs that the first node has had, in the node's own words; by default all."""
        answer = self.session.get(
            f"{self.node['url']}/api/v2/jobs",
            headers={"X-Auth-Token": self.node["token"]},
            timeout=30,
        )
        answer.raise_for_status()
        return [row for row in answer.json()["data"] if name in row["name"]]

    def node_job(self, name: str) -> dict[str, Any]:
        """The one job of this name at the first node, with its steps and messages."""
        (row,) = self.node_jobs(name)
        answer = self.session.get(
            f"{self.node['url']}/api/v2/jobs/{row['id']}",
            headers={"X-Auth-Token": self.node["token"]},
            timeout=30,
        )
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        return told

    # What an operator sees.

    @property
    def record(self) -> PlatformRecord:
        record = read_record(self.state)
        assert record is not None
        return record

    def pid(self, process: str) -> int:
        found = self.record.process(process)
        assert found is not None
        assert found.pid is not None, f"{process} is down"
        return found.pid

    def serves(self) -> bool:
        return all(is_ready(int(url.rpartition(":")[2])) for url in self.urls.values())

    def files(self, deployment: str = "monolith") -> dict[str, int]:
        """Every file below a deployment's data folder, with its size."""
        root = self.state.data(deployment).resolve()
        found = {}
        for path in sorted(root.rglob("*")):
            if path.is_file():
                found[str(path.relative_to(root))] = path.stat().st_size
        return found

    def end_jobs(self) -> None:
        """End what is still under way: every test's service has the same address and the same ids,
        so a job of one test would be sent to, or followed at, the service of the next."""
        with psycopg.connect(self.database_url(superuser=False)) as database:
            database.execute(
                """
                WITH ended AS (
                    UPDATE imputation_jobwork
                    SET phase = 'done', next_poll_at = NULL, lease_until = NULL,
                        holds_place = false, place_wanted_at = NULL, fence = fence + 1
                    WHERE phase <> 'done' RETURNING job_id
                )
                UPDATE imputation_imputationjob SET status = 'cancelled'
                WHERE id IN (SELECT job_id FROM ended)
                """
            )

    def last_words(self, process: str) -> str:
        """The end of a process's log, for a reader of a failed test."""
        return "\n".join(self.state.log(process).read_text(errors="replace").splitlines()[-60:])

    def open_files(self, process: str) -> int:
        return int(psutil.Process(self.pid(process)).num_fds())

    def nameless_bytes(self, process: str) -> int:
        """Bytes in files that a process holds open and that have no name: bodies on their way."""
        size = 0
        for link in Path(f"/proc/{self.pid(process)}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                if str(link.readlink()).endswith("(deleted)"):
                    size += link.stat().st_size
        return size

    def register(self, url: str, *, token: str) -> OfferedPanel:
        """Make what answers at `url` a service of the platform, in place of the one before."""
        if self._registered == (url, token):
            return self.panel(url)
        note = self.state.root / "run" / "chaos.json"
        note.write_text(
            json.dumps(
                {"name": _SCRIPTED, "title": "Hard times", "url": url}
                | {"username": "chaos", "token": token}
            )
        )
        subprocess.run(
            [sys.executable, str(CHECKOUT / "manage.py"), "seed", "demo", "--node", str(note)],
            env={**self.platform.environment, "DEPLOYMENT": "monolith"},
            check=True,
            capture_output=True,
        )
        self._registered = (url, token)
        return self.panel(url)

    # What happens to it.

    @contextmanager
    def down(self, process: str) -> Iterator[None]:
        """A process killed, and nobody there to start it again until the end."""
        supervisor, victim = self.record.supervisor.pid, self.pid(process)
        assert supervisor is not None
        os.kill(supervisor, signal.SIGSTOP)
        try:
            os.kill(victim, signal.SIGKILL)
            eventually(lambda: psutil.Process(victim).status() == psutil.STATUS_ZOMBIE)
            yield
        finally:
            os.kill(supervisor, signal.SIGCONT)
        eventually(self.serves)

    def kill(self, process: str) -> None:
        os.kill(self.pid(process), signal.SIGKILL)

    @contextmanager
    def largest_file(self, process: str, size: int) -> Iterator[None]:
        """No file of the process, or of those that it starts, may grow beyond `size` bytes."""
        pid = self.record.supervisor.pid if process == "supervisor" else self.pid(process)
        before = psutil.Process(pid).rlimit(psutil.RLIMIT_FSIZE)
        psutil.Process(pid).rlimit(psutil.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            psutil.Process(pid).rlimit(psutil.RLIMIT_FSIZE, before)

    def memory_mb(self, process: str) -> float:
        """Proportional set size of a process, MB."""
        lines = Path(f"/proc/{self.pid(process)}/smaps_rollup").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) / 1024

    def database_url(self, *, superuser: bool) -> str:
        """Of the monolith's database."""
        text = (self.state.environment_file("monolith")).read_text()
        found = re.search(r"MONOLITH_DATABASE_URL='([^']+)'", text)
        assert found is not None
        if not superuser:
            return found[1]
        password = self.state.secret("postgres")
        return re.sub(r"//[^@]+@", f"//platform:{password}@", found[1])


def _pieces(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), 1 << 16):
        yield body[start : start + (1 << 16)]
