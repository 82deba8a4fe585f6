"""Transfers of 2 GiB: into the monolith, on to a node, back, and out to the client.

Everything is on loopback and on one disk. The peers of a transfer are run beside it: a bare
uvicorn application that throws an upload away, one that writes it down once with its SHA-256, and
one that reads a file out in blocks; `curl` is the client of all. Memory is the proportional set
size (PSS) of a process at its largest, against what it was before.
"""

import hashlib
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import psycopg
import requests

from benchmarks import Row
from federated_imputation.platform.state import CHECKOUT
from tests.bgzf import VCF, bgzf
from tests.chaos.site import Site, eventually
from tests.platforms import own_platform
from tests.servers import free_port

__all__ = ["run"]

_SIZE: Final = 2 * 2**30
_BLOCK: Final = 2**20
_BAR_RATE: Final = 150.0
_BAR_MEMORY: Final = 150.0
_BAR_GROWTH: Final = 50.0
_PROCESSES: Final = ("monolith", "monolith-worker", "node-afr")
_RESULT: Final = "large.bin"

_PEER: Final = """
import hashlib, os, sys
import uvicorn

KIND, PORT, PATH = sys.argv[1], int(sys.argv[2]), sys.argv[3]

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    if KIND == "read":
        size = os.path.getsize(PATH)
        head = [(b"content-length", str(size).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        with open(PATH, "rb") as file:
            while block := file.read(1 << 18):
                await send({"type": "http.response.body", "body": block, "more_body": True})
        await send({"type": "http.response.body"})
        return
    digest, more = hashlib.sha256(), True
    with open(PATH, "wb") as file:
        while more:
            message = await receive()
            more = message.get("more_body", False)
            if KIND == "store":
                digest.update(message["body"])
                file.write(message["body"])
        if KIND == "store":
            file.flush()
            os.fsync(file.fileno())
    await send({"type": "http.response.start", "status": 201, "headers": []})
    await send({"type": "http.response.body", "body": b""})

uvicorn.run(app, host="127.0.0.1", port=PORT, http="h11", lifespan="off", log_level="error")
"""


def run() -> list[Row]:
    """Send 2 GiB through a platform of its own, and the same bytes to the peers.

    Returns:
        MB/s of each stretch, alone and as a part of its peer's; MB of each process.
    """
    with (
        own_platform(NODE_ENGINE="numpy", RATE_LIMITS="off") as platform,
        TemporaryDirectory(dir=CHECKOUT) as folder,
    ):
        platform.up()
        site = Site(platform, service_port=0)
        study, result = Path(folder) / "study.vcf.gz", Path(folder) / _RESULT
        _write(study, head=bgzf(VCF))
        _write(result, head=b"")
        with _memory(site) as (idle, most):
            upload, job_id = _upload(site, study)
            sent = _sent(site, job_id)
            fetched, result_id = _fetched(site, result)
            download = _curl([f"{site.url}/api/result-files/{result_id}/download/"], site=site)
        peers = {kind: _peer(kind, Path(folder), study) for kind in ("discard", "store", "read")}
    return [
        _rate("upload to the monolith", upload),
        _ratio("of it, a bare application that discards", upload, peers["discard"]),
        _ratio("of it, a bare application that stores and digests once", upload, peers["store"]),
        _rate("submission, monolith to node", sent),
        _rate("result, node to monolith", fetched, note="with its SHA-256"),
        _rate("download from the monolith", download),
        _ratio("of it, a bare application that reads a file", download, peers["read"]),
        *(_largest(process, idle[process], most[process]) for process in _PROCESSES),
    ]


def _upload(site: Site, study: Path) -> tuple[float, str]:
    panel = site.panel()
    with psycopg.connect(site.database_url(superuser=False), autocommit=True) as database:
        database.execute(
            "UPDATE imputation_imputationservice SET max_file_size_mb = 10000 WHERE id = %s",
            [panel.service_id],
        )
    form = {
        "name": "transfer",
        "service": str(panel.service_id),
        "reference_panel": str(panel.id),
        "build": "hg38",
        "population": "afr",
        "input_file": f"@{study};type=application/gzip",
    }
    arguments = [part for name, value in form.items() for part in ("-F", f"{name}={value}")]
    before = site.job_count()
    rate = _curl([f"{site.url}/api/jobs/", *arguments], site=site)
    assert site.job_count() == before + 1
    jobs = site.session.get(f"{site.url}/api/jobs/", timeout=60).json()["results"]
    return rate, str(jobs[0]["id"])


def _sent(site: Site, job_id: str) -> float:
    """Rate of the submission, by the times of the job's own history."""
    site.wait(job_id, seconds=900)
    updates = _history(site, job_id)
    began = next(at for at, message in updates if message.startswith("Sending the file"))
    ended = next(at for at, message in updates if message.startswith("The service accepted"))
    return _SIZE / 1e6 / (ended - began).total_seconds()


def _fetched(site: Site, result: Path) -> tuple[float, int]:
    """Rate at which a result of a real job came, and its id at the monolith."""
    site.state.node_hold.write_text("export\n")
    job_id = site.submit(site.panel(), name="result")
    job = site.wait_until(
        job_id,
        lambda job: any("Held at export." in event.message for event in job.events),
        seconds=300,
    )
    _offer(site, job.service_job_id, result)
    site.state.node_hold.unlink()
    site.wait(job_id, seconds=900)
    updates = _history(site, job_id)
    (number,) = (n for n, (_, text) in enumerate(updates) if text.startswith(f"Fetched {_RESULT}"))
    seconds = (updates[number][0] - updates[number - 1][0]).total_seconds()
    (file,) = (file for file in site.api.files(job_id) if file.name == _RESULT)
    return _SIZE / 1e6 / seconds, file.id


def _offer(site: Site, node_job: str, result: Path) -> None:
    """Put a file of any size among the results of a job at the node."""
    workspace = site.state.data("node-afr").resolve() / "jobs" / node_job / "output"
    shutil.copyfile(result, workspace / _RESULT)
    code = (
        "from apps.node.models import Output, OutputFile; "
        f"o = Output.objects.get(job_id={node_job!r}, name='output'); "
        f"OutputFile.objects.create(output=o, path={_RESULT!r}, hash='b' * 64, "
        f"size={_SIZE}, count=10)"
    )
    subprocess.run(
        [sys.executable, str(CHECKOUT / "manage.py"), "shell", "-v", "0", "-c", code],
        env={**site.platform.environment, "DEPLOYMENT": "node-afr"},
        check=True,
    )


def _history(site: Site, job_id: str) -> list[tuple[datetime, str]]:
    answer = site.session.get(f"{site.url}/api/jobs/{job_id}/", timeout=60).json()
    updates: list[dict[str, Any]] = sorted(answer["status_updates"], key=lambda row: row["id"])
    return [(datetime.fromisoformat(row["timestamp"]), str(row["message"])) for row in updates]


def _peer(kind: str, folder: Path, study: Path) -> float:
    port = free_port()
    path = study if kind == "read" else folder / "peer"
    process = subprocess.Popen([sys.executable, "-c", _PEER, kind, str(port), str(path)])
    try:
        url = f"http://127.0.0.1:{port}/"
        eventually(lambda: _answers(url))
        return _curl([url] if kind == "read" else [url, "-T", str(study)], site=None)
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        requests.head(url, timeout=1)
    except requests.ConnectionError:
        return False
    except requests.RequestException:
        return True
    return True


def _curl(arguments: list[str], *, site: Site | None) -> float:
    """MB/s of one transfer of the 2 GiB, from the first byte asked to the last answered."""
    command = ["curl", "-sS", "--fail-with-body", "-o", "/dev/null"]
    if site is not None:
        cookies = "; ".join(f"{name}={value}" for name, value in site.session.cookies.items())
        command += ["-H", f"Cookie: {cookies}"]
    began = time.perf_counter()
    subprocess.run([*command, *arguments], check=True)
    return _SIZE / 1e6 / (time.perf_counter() - began)


def _write(path: Path, *, head: bytes) -> None:
    """A file that no disk and no network makes smaller: one random block again and again."""
    block = hashlib.shake_256(b"transfer").digest(_BLOCK)
    with path.open("wb") as file:
        file.write(head)
        left = _SIZE - len(head)
        while left:
            left -= file.write(block[: min(left, _BLOCK)])


@contextmanager
def _memory(site: Site) -> Iterator[tuple[dict[str, float], dict[str, float]]]:
    """What processes keep before the block, and the most that they keep during it, in MB."""
    idle = {process: site.memory_mb(process) for process in _PROCESSES}
    most = dict(idle)
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.1):
            for process in _PROCESSES:
                most[process] = max(most[process], site.memory_mb(process))

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            yield idle, most
        finally:
            stop.set()
            watching.result()


def _rate(figure: str, value: float, *, note: str = "") -> Row:
    return Row(
        figure=figure,
        value=value,
        unit="MB/s",
        bar=f"≥ {_BAR_RATE:.0f} MB/s",
        holds=value >= _BAR_RATE,
        note=note,
    )


def _ratio(figure: str, ours: float, peer: float) -> Row:
    return Row(figure=figure, value=ours / peer, note=f"the peer: {peer:.0f} MB/s")


def _largest(process: str, idle: float, most: float) -> Row:
    return Row(
        figure=f"{process}, largest PSS",
        value=most,
        unit="MB",
        bar=f"≤ {_BAR_MEMORY:.0f} MB, {_BAR_GROWTH:.0f} above idle",
        holds=most <= _BAR_MEMORY and most - idle <= _BAR_GROWTH,
        note=f"idle: {idle:.0f} MB",
    )
