"""Jobs from the submission to the download, on a real server process with the real pipeline."""

import gzip
import html
import io
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil
import pytest
import pyzipper
import requests
from django.db import connection
from django.utils.timezone import now
from requests_toolbelt import MultipartEncoder

from apps.genotypes.bgzf import BgzfWriter
from apps.node.kit_panels import KIT
from apps.node.models import Job, OutputFile
from apps.node.states import State
from tests.unit.apps.node.conftest import ServerProcess
from tests.unit.apps.node.running import (
    PASSWORD,
    SUBMIT,
    UPLOAD_LIMIT,
    Client,
    Node,
    a_running_node,
    commit,
    files_of,
    has_ended,
    is_held,
    texts_of,
)

pytestmark = pytest.mark.django_db
MOST_MEMORY = 24 << 20  # that a transfer of any size may cost


@pytest.fixture(scope="module")
def running_node(
    django_db_setup: None,
    django_db_blocker: Any,
    tmp_path_factory: pytest.TempPathFactory,
    kit_panels: Path,
) -> Iterator[Node]:
    """One node for all tests of this module, since a start costs seconds; its rows go with it."""
    with (
        django_db_blocker.unblock(),
        a_running_node(tmp_path_factory.mktemp("node"), kit_panels) as node,
    ):
        yield node


@pytest.fixture
def node(running_node: Node) -> Node:
    """The node with no job held."""
    running_node.hold.unlink(missing_ok=True)
    return running_node


@pytest.fixture
def client(node: Node) -> Client:
    return node.client


@pytest.fixture
def hold(node: Node) -> Path:
    return node.hold


def test_a_study_is_imputed_and_downloaded(client, study):
    job_id = client.submit(study, meta="true", aesEncryption="true")
    seen = client.wait(job_id, has_ended)
    job = seen[-1]
    assert job["state"] == State.SUCCESS, texts_of(job)
    states = list(dict.fromkeys(each["state"] for each in seen))
    assert states == sorted(states)
    assert [step["name"] for step in job["steps"]] == [
        "Input Validation",
        "Quality Control",
        "Phasing and Imputation",
        "Summary",
    ]
    assert not any(m["type"] == 3 for step in job["steps"] for m in step["logMessages"])
    assert PASSWORD not in texts_of(job)

    files = files_of(job)
    assert {"chr_20.zip", "qc_report.txt", "job.log"} <= set(files)
    answer = client.download(files["chr_20.zip"])
    assert answer.status_code == 200
    with pyzipper.AESZipFile(io.BytesIO(answer.content)) as archive:
        archive.setpassword(PASSWORD.encode())
        names = set(archive.namelist())
        assert archive.testzip() is None
    assert {"chr20.dose.vcf.gz", "chr20.info.gz", "chr20.empiricalDose.vcf.gz"} <= names
    assert files_of(client.job(job_id))["chr_20.zip"]["count"] == 9
    row = Job.objects.get(pk=job_id)
    assert row.password == ""
    assert PASSWORD not in str(row.parameters)


@pytest.mark.skipif(shutil.which("beagle") is None, reason="Beagle is not installed")
def test_a_study_without_phase_is_phased_by_beagle_and_imputed(client, tmp_path):
    lines = gzip.decompress((KIT / "target.unphased.vcf.gz").read_bytes()).splitlines()
    head = [line for line in lines if line.startswith(b"##")]
    rows = [b"\t".join(line.split(b"\t")[:29]) for line in lines[len(head) :][:121]]
    with BgzfWriter(tmp_path / "study.vcf.gz") as out:  # 20 samples, 120 sites
        out.write(b"\n".join([*head, *rows, b""]))
    job_id = client.submit((tmp_path / "study.vcf.gz").read_bytes(), phasing="beagle")
    job = client.wait(job_id, has_ended)[-1]
    assert job["state"] == State.SUCCESS, texts_of(job)
    assert "<b>Datatype:</b> unphased" in texts_of(job)
    assert "<b>Phasing with Beagle (1/1)</b>" in texts_of(job)
    content = client.download(files_of(job)["chr_20.zip"]).content
    with pyzipper.AESZipFile(io.BytesIO(content)) as archive:
        archive.setpassword(PASSWORD.encode())
        dose = gzip.decompress(archive.read("chr20.dose.vcf.gz"))
    assert b"\n##mis_phasing=beagle 5" in dose


def test_a_password_that_the_node_made_is_shown(client, study):
    job_id = client.submit(study, password="")
    job = client.wait(job_id, has_ended)[-1]
    shown = texts_of(job).rpartition("following password: <b>")[2].removesuffix("</b>")
    content = client.download(files_of(job)["chr_20.zip"]).content
    with pyzipper.AESZipFile(io.BytesIO(content)) as archive:
        archive.setpassword(html.unescape(shown).encode())
        assert archive.testzip() is None


def test_a_job_that_fails_in_its_first_step_says_why_and_keeps_partial_outputs(client):
    job = client.wait(client.submit(b"this is no VCF"), has_ended)[-1]
    assert job["state"] == State.FAILED
    assert any(message["type"] == 1 for message in job["steps"][0]["logMessages"])
    assert client.download(files_of(job)["job.log"]).status_code == 200


def test_any_mode_but_imputation_ends_after_quality_control(client, study):
    job = client.wait(client.submit(study, mode="qconly"), has_ended)[-1]
    assert job["state"] == State.SUCCESS, texts_of(job)
    assert "Match: " in texts_of(job)
    assert "qc_report.txt" in files_of(job)
    assert "chr_20.zip" not in files_of(job)


def test_a_panel_that_is_gone_fails_the_job(client, study):
    job = client.wait(client.submit(study, refpanel="apps@kit-afr@0.9.9"), has_ended)[-1]
    assert job["state"] == State.FAILED
    assert "Reference panel 'apps@kit-afr@0.9.9' not found." in texts_of(job)


def test_a_job_at_work_is_canceled_with_all_its_processes(node, client, study, hold):
    hold.write_text("imputation")
    job_id = client.submit(study)
    client.wait(job_id, is_held)
    pipeline = node.pipeline()
    assert pipeline
    job = client.get(f"/api/v2/jobs/{job_id}/cancel").json()
    if job["state"] != State.CANCELED:
        job = client.wait(job_id, has_ended)[-1]
    assert job["state"] == State.CANCELED
    assert "Canceled by user." in texts_of(job)
    assert "qc_report.txt" in files_of(job)
    assert not any(m["type"] == 3 for step in job["steps"] for m in step["logMessages"])
    assert psutil.wait_procs(pipeline, timeout=5)[1] == []


def test_a_pipeline_that_is_killed_fails_the_job(node, client, study, hold):
    hold.write_text("qc")
    job_id = client.submit(study)
    client.wait(job_id, is_held)
    for process in node.pipeline():
        os.kill(process.pid, signal.SIGKILL)
    job = client.wait(job_id, has_ended)[-1]
    assert job["state"] == State.FAILED
    assert "Pipeline execution failed." in texts_of(job)


def test_clients_meet_the_exporting_state(client, study, hold):
    hold.write_text("export")
    job_id = client.submit(study)
    job = client.wait(job_id, is_held)[-1]
    assert client.wait(job_id, lambda each: each["state"] == State.EXPORTING)
    assert job["endTime"] == 0
    hold.unlink()
    assert client.wait(job_id, has_ended)[-1]["state"] == State.SUCCESS


def test_a_killed_server_leaves_nothing_behind_and_its_jobs_dead_until_restarted(
    node, client, study, hold
):
    old = client.submit(b"this is no VCF")
    client.wait(old, has_ended)
    commit(lambda: Job.objects.filter(pk=old).update(ended_at=now() - timedelta(days=8)))
    hold.write_text("imputation")
    running, waiting = client.submit(study), client.submit(study)
    client.wait(running, is_held)
    pipeline = node.pipeline()
    node.server.kill()
    assert psutil.wait_procs(pipeline, timeout=5)[1] == []

    hold.unlink()
    node.restart()
    assert [client.job(each)["state"] for each in (running, waiting)] == [State.DEAD] * 2
    answer = client.get(f"/api/v2/jobs/{running}/restart")
    assert answer.json()["success"] is True
    job = client.wait(running, has_ended)[-1]
    assert job["state"] == State.SUCCESS, texts_of(job)
    assert "Held at" not in texts_of(job)
    assert client.job(waiting)["state"] == State.DEAD
    # A starting server also sweeps.
    assert client.wait(old, lambda each: each["state"] == State.RETIRED)[-1]["outputParams"] == []


def test_a_job_outlives_the_loss_of_all_database_connections(client, study, hold):
    hold.write_text("imputation")
    job_id = client.submit(study)
    client.wait(job_id, is_held)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert cursor.fetchone()[0] >= 2
    hold.unlink()
    job = client.wait(job_id, has_ended)[-1]
    assert job["state"] == State.SUCCESS, texts_of(job)
    texts = [m["message"] for step in job["steps"] for m in step["logMessages"]]
    assert len(texts) == len(set(texts))
    assert holds_its_database_again()


def holds_its_database_again() -> bool:
    """Whether the node takes its lock again, which a lost connection lets go, in some seconds."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
                " WHERE locktype = 'advisory' AND granted AND datname = current_database()"
            )
            if cursor.fetchone()[0]:
                return True
        time.sleep(0.1)
    return False


def test_a_second_server_on_the_same_database_refuses_to_start(node, client, study, hold, tmp_path):
    hold.write_text("qc")
    job_id = client.submit(study)
    client.wait(job_id, is_held)
    second = ServerProcess(tmp_path, tmp_path / "second.log")
    second.launch(NODE_LOCK_PATIENCE_SECONDS="1")
    try:
        assert second.wait_until_ended() != 0
    finally:
        second.kill()  # if it did not refuse, it would keep the database from all other tests
    assert "Another server works on this node's database." in second.log.read_text()
    hold.unlink()
    assert client.wait(job_id, has_ended)[-1]["state"] == State.SUCCESS


def test_large_files_come_and_go_in_constant_memory(node, client, tmp_path):
    large = tmp_path / "large.vcf.gz"
    with large.open("wb") as file:
        file.truncate(UPLOAD_LIMIT - (1 << 20))
    with forgotten_peak(node.server) as upload_cost:
        job = client.wait(submit_streamed(client, large), has_ended)[-1]
    assert upload_cost() < MOST_MEMORY

    file = files_of(job)["job.log"]
    path = node.server.data / "jobs" / job["id"] / "cloudgene_logs" / "job.log"
    with path.open("wb") as content:
        content.truncate(large.stat().st_size)
    commit(lambda: OutputFile.objects.filter(hash=file["hash"]).update(size=path.stat().st_size))
    with forgotten_peak(node.server) as download_cost:
        url = f"{node.server.url}/share/results/{file['hash']}/job.log"
        with requests.get(url, stream=True, timeout=30) as answer:
            received = sum(len(block) for block in answer.iter_content(1 << 16))
    assert received == large.stat().st_size
    assert download_cost() < MOST_MEMORY


def test_a_body_above_the_upload_limit_is_refused_before_it_is_read(node, client):
    sent = 0

    def body() -> Iterator[bytes]:
        nonlocal sent
        while sent < 1 << 40:
            sent += 1 << 16
            yield bytes(1 << 16)

    headers = {"X-Auth-Token": client.token, "Content-Length": str(10 << 30)}
    connection = HTTPConnection(node.server.url.removeprefix("http://"), timeout=20)
    connection.putrequest("POST", SUBMIT)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read()) == {"message": "Upload limit reached.", "success": False}
    connection.close()

    # Without a length it is stopped as soon as too much has come. Whether a client that still
    # sends then reads the answer is its own affair.
    with suppress(requests.ConnectionError):
        headers = {"X-Auth-Token": client.token}
        refused = requests.post(node.server.url + SUBMIT, data=body(), headers=headers, timeout=20)
        assert refused.status_code == 413
    assert UPLOAD_LIMIT < sent < 4 * UPLOAD_LIMIT
    assert list((node.server.data / "uploads").iterdir()) == []


def test_a_stranger_cannot_fill_the_disk(node):
    answer = requests.post(
        node.server.url + SUBMIT, data=bytes(4 << 20), headers={"X-Auth-Token": "x"}, timeout=20
    )
    assert (answer.status_code, answer.json()["message"]) == (401, "Unauthorized")
    answer = requests.post(node.server.url + "/login", data=bytes(4 << 20), timeout=20)
    assert answer.status_code == 413


def submit_streamed(client: Client, path: Path) -> str:
    with path.open("rb") as content:
        form = MultipartEncoder({"files": (path.name, content, "application/gzip")})
        headers = {"X-Auth-Token": client.token, "Content-Type": form.content_type}
        answer = requests.post(client.url + SUBMIT, data=form, headers=headers, timeout=60)
    assert answer.ok, answer.text
    return str(answer.json()["id"])


@contextmanager
def forgotten_peak(server: ServerProcess) -> Iterator[Callable[[], int]]:
    """What the server's memory grows at most within the block, in bytes."""
    proc = Path(f"/proc/{server.pid}")

    def field(name: str) -> int:
        line = next(x for x in (proc / "status").read_text().splitlines() if x.startswith(name))
        return int(line.split()[1]) * 1024

    (proc / "clear_refs").write_text("5")  # forget the peak
    before = field("VmRSS")
    cost = 0

    def measured() -> int:
        return cost

    yield measured
    cost = field("VmHWM") - before
