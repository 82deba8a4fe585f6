"""Following: what it costs one worker process to follow 1,000 running jobs at one service.

A scripted service answers every look with a job of 3 kB that never changes, as it is between two
pieces of news. The worker's own tick, batches and threads run in a process of their own on a
database of its own; messages go through a queue in that process, so Celery's share is told apart by
the number of messages. Looks are spread as in the steady state: each job was looked at last at a
random moment of its present pace.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from apps.contracts import examples
from benchmarks import Row
from federated_imputation.platform.state import CHECKOUT

__all__ = ["run"]

JOBS: Final = 1000
SECONDS: Final = 60
_BAR: Final = 10.0
_PACES: Final = (30, 60)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What the worker process told at its end."""

    cpu_percent: float
    pss_mb: float
    looks: int
    calls: int
    statements: int
    messages: int


def run() -> list[Row]:
    """Percent of a core, memory, statements and calls, at both paces of `jobs.pace`."""
    rows: list[Row] = []
    for pace in _PACES:
        measured = _measure(pace)
        name = f"{JOBS:,} jobs, a look each {pace} s"
        rows += [
            Row(
                figure=f"{name}: CPU",
                value=measured.cpu_percent,
                unit="% of a core",
                bar=f"≤ {_BAR:.0f} %",
                holds=measured.cpu_percent <= _BAR,
                note=f"{measured.looks} looks in {SECONDS} s, {measured.messages} messages",
            ),
            Row(figure=f"{name}: PSS", value=measured.pss_mb, unit="MB"),
            Row(
                figure=f"{name}: statements a look",
                value=measured.statements / max(1, measured.looks),
                note=f"{measured.calls / max(1, measured.looks):.2f} calls a look",
            ),
        ]
    return rows


def _measure(pace: int) -> Measured:
    service = _Service()
    threading.Thread(target=service.serve_forever, args=(0.2,), daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="federated-imputation-bench-") as folder:
        answer = Path(folder) / "measured.json"
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "benchmarks/following_worker.py"],
            cwd=CHECKOUT,
            check=True,
            env={
                **os.environ,
                "FOLLOWING_URL": f"http://127.0.0.1:{service.server_port}",
                "FOLLOWING_PACE": str(pace),
                "FOLLOWING_SECONDS": str(SECONDS),
                "FOLLOWING_JOBS": str(JOBS),
                "FOLLOWING_ANSWER": str(answer),
            },
            stdout=subprocess.DEVNULL,
        )
        told = json.loads(answer.read_text())
    service.shutdown()
    service.server_close()
    return Measured(**told)


class _Service(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.body: dict[str, Any] = examples.load("michigan")["job-running"].body


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes here
    server: _Service

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        job_id = self.path.rpartition("/")[2]
        answer = json.dumps({**self.server.body, "id": job_id, "name": job_id}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
