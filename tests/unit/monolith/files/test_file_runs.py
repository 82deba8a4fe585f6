"""Checks and repairs over the API, done by the real worker in real child processes."""

import os
import signal
import threading
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.genotypes.vcf import scan_vcf
from apps.node.kit_panels import KIT, write_kit_panel
from apps.node.pipeline.panel_index import panel_sites as node_sites
from apps.node.pipeline.quality_control import QualityControl, run_qc
from apps.node.pipeline.validation import Study, StudyFile
from federated_imputation.monolith.files import worker
from federated_imputation.monolith.files.commands import Command
from federated_imputation.monolith.files.models import MOST_STARTS, FileRun, GenotypeFile
from federated_imputation.monolith.files.operations import runs
from tests.factories import make_panel, make_service, make_user
from tests.genotype_files import study, vcf

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE = 60.0
UNSORTED = (1000, 3000, 2000)


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(make_user())
    return client


@pytest.fixture
def panel():
    return make_panel(make_service(api_key_required=False))


def store(client: Client, name: str = "study.vcf.gz", content: bytes | None = None) -> str:
    answer = client.post("/api/files/", {"file": study(name, content)})
    assert answer.status_code == 201, answer.content
    return str(answer.json()["id"])


def ask(client: Client, file_id: str, what: str = "check", **body):
    return client.post(f"/api/files/{file_id}/{what}/", body, content_type="application/json")


def shown(client: Client, run: dict[str, Any]) -> Any:
    return client.get(f"/api/files/{run['file']}/runs/{run['id']}/").json()


def tick() -> int:
    """One tick and the runs that it announces, one after the other; returns how many."""
    found = runs.claim_due_runs(now=timezone.now())
    for run_id in found:
        worker.work(run_id)
    return len(found)


def done(client: Client, file_id: str, what: str = "check", **body) -> Any:
    """Ask for a run and let the worker do it."""
    answer = ask(client, file_id, what, **body)
    assert answer.status_code == 202, answer.content
    assert tick() == 1
    return shown(client, answer.json())


def run_module(*arguments: str):
    """A child that runs this Python instead of what was decided."""
    return lambda command: Command(module="tests.unit.monolith.files.child", arguments=arguments)


def nodes_quality_control(tmp_path: Path) -> QualityControl:
    panel = write_kit_panel(tmp_path / "panels", "AFR")
    path = KIT / "target.phased.vcf.gz"
    work = tmp_path / "qc"
    work.mkdir()
    result = QualityControl()
    run_qc(
        Study(files=(StudyFile(path=path, scan=scan_vcf(path)),)),
        panel,
        sites=lambda chromosome: node_sites(panel, chromosome),
        result=result,
        statistics=tmp_path / "statistics",
        folder=work,
    )
    return result


def test_check_says_of_a_panel_what_the_nodes_quality_control_says(client, panel, tmp_path):
    call_command("panel", "sites", str(panel.pk), str(KIT / "panel_AFR.vcf.gz"))
    unknown = make_panel(panel.service, "apps@other@1.0.0", name="Other")
    file_id = store(client, content=(KIT / "target.phased.vcf.gz").read_bytes())

    run = done(client, file_id, panels=[panel.pk, unknown.pk], build="hg38", phasing=False)

    assert (run["state"], run["progress"], run["message"]) == ("done", 100, "")
    told = client.get(f"/api/files/{file_id}/check/").json()
    assert (told["stage"], told["facts"]["samples"], told["facts"]["phased"]) == (3, 40, True)
    by_panel = {entry["panel"]: entry for entry in told["panels"]}
    expected = nodes_quality_control(tmp_path)
    known = by_panel[panel.pk]
    assert known["overlap"] == pytest.approx(expected.totals.overlap)
    assert known["strand_flips"] + known["both"] == expected.totals.strand_flips
    assert known["chunks_kept"] == len(expected.chunks)
    assert (known["accepted"], known["reasons"]) == ("yes", [])
    assert by_panel[unknown.pk]["accepted"] == "unknown"
    assert by_panel[unknown.pk]["reasons"]


def test_finding_names_the_repair_and_the_repair_mends_it(client, panel):
    file_id = store(
        client, content=None if UNSORTED is None else vcf(positions=UNSORTED), name="my study.vcf"
    )
    done(client, file_id)
    findings = client.get(f"/api/files/{file_id}/check/").json()["findings"]
    repairs = {finding["repair"] for finding in findings if finding["severity"] == "error"}
    assert "sort" in repairs

    run = done(client, file_id, "repairs", repairs=sorted(repairs - {None}))

    assert run["state"] == "done", run["message"]
    made = [client.get(f"/api/files/{each['file']}/").json() for each in run["result"]["made"]]
    assert [(file["made_from"], file["format"]) for file in made] == [(file_id, "vcf.gz")]
    done(client, made[0]["id"])
    after = client.get(f"/api/files/{made[0]['id']}/check/").json()
    assert [each for each in after["findings"] if each["severity"] == "error"] == []
    original = client.get(f"/api/files/{file_id}/").json()
    assert original["size"] == len(vcf(positions=UNSORTED))


def test_repair_that_is_refused_says_why(client):
    content = vcf().replace(b"##contig=<ID=chr20,length=64444167>\n", b"")
    file_id = store(client, "study.vcf", content)

    run = done(client, file_id, "repairs", repairs=["rename"])

    assert run["state"] == "failed"
    assert "build" in run["message"]
    assert run["result"] is None


def test_asking_again_for_what_is_at_work_is_asking_once(client):
    file_id = store(client)
    first = ask(client, file_id, build="hg38")

    again, other = ask(client, file_id, build="hg38"), ask(client, file_id, build="hg19")

    assert (again.status_code, again.json()) == (202, first.json())
    assert other.status_code == 409
    assert "cancel it" in other.json()["error"]
    assert tick() == 1
    assert ask(client, file_id, build="hg19").status_code == 202


def test_file_is_not_deleted_under_a_run(client, root):
    file_id = store(client)
    run = ask(client, file_id).json()

    assert client.delete(f"/api/files/{file_id}/").status_code == 409
    assert client.post(f"/api/files/{file_id}/runs/{run['id']}/cancel/").status_code == 202
    assert client.delete(f"/api/files/{file_id}/").status_code == 204
    assert client.delete(f"/api/files/{file_id}/").status_code == 404
    assert not [path for path in root.rglob("genotypes/*") if path.is_file()]


def test_run_that_is_over_is_not_cancelled_any_more(client):
    file_id = store(client)
    run = done(client, file_id)

    answer = client.post(f"/api/files/{file_id}/runs/{run['id']}/cancel/")

    assert (answer.status_code, shown(client, run)["state"]) == (409, "done")


def test_cancelling_twice_is_cancelling_once(client):
    file_id = store(client)
    run = ask(client, file_id).json()
    answers = [client.post(f"/api/files/{file_id}/runs/{run['id']}/cancel/") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert tick() == 0


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("crash", "crashed (SIGSEGV)"),
        ("memory", "more memory"),
        ("garbage", "no report"),
        ("nothing", "without a report"),
        ("sentence", "study.vcf.gz: the moon is full."),
        ("traceback", "reason of our own"),
        ("large", "larger than you may store"),
    ],
)
def test_child_that_fails_is_a_failed_run_with_a_sentence(client, settings, what, words):
    settings.FILE_RUN_MEMORY_MB = 300
    settings.GENOTYPE_STORAGE_MB = 1
    file_id = store(client)
    run = ask(client, file_id).json()

    worker.work(run["id"], choose=run_module(what))

    failed = shown(client, run)
    assert (failed["state"], failed["result"]) == ("failed", None)
    assert words in failed["message"], failed["message"]


def test_run_that_takes_too_long_fails(client, settings):
    settings.FILE_RUN_SECONDS = 1
    file_id = store(client)
    run = ask(client, file_id).json()

    worker.work(run["id"], choose=run_module("wait"))

    assert "longer than 1 seconds" in shown(client, run)["message"]


def test_cancelling_kills_the_child_and_frees_the_file(client, root):
    file_id = store(client)
    run = ask(client, file_id).json()
    working = in_thread(run["id"], root)
    child = wait_for_child(root)

    answer = client.post(f"/api/files/{file_id}/runs/{run['id']}/cancel/")

    assert answer.json()["state"] == "cancelled"
    working.join(PATIENCE)
    assert not working.is_alive()
    assert not is_alive(child)
    assert shown(client, run)["state"] == "cancelled"
    assert not (root / "making" / run["id"]).exists()


def test_progress_is_seen_while_the_child_works(client, root):
    file_id = store(client)
    run = ask(client, file_id).json()
    working = in_thread(run["id"], root)
    wait_for_child(root)

    wait_until(lambda: shown(client, run)["progress"] == 42)

    seen = shown(client, run)
    assert (seen["state"], seen["stage"]) == ("running", "2")
    client.post(f"/api/files/{file_id}/runs/{run['id']}/cancel/")
    working.join(PATIENCE)


def test_two_workers_share_a_run_as_one(client):
    file_id = store(client)
    run = ask(client, file_id).json()
    barrier = threading.Barrier(2)
    began: list[str] = []

    def choose(command: Command) -> Command:
        began.append(command.module)
        return command

    def work() -> None:
        barrier.wait(PATIENCE)
        try:
            worker.work(run["id"], choose=choose)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)

    assert shown(client, run)["state"] == "done"
    assert len(began) == 1


def test_worker_that_is_told_to_end_gives_its_run_back(client, root):
    file_id = store(client)
    run = ask(client, file_id).json()
    ending = threading.Event()
    working = in_thread(run["id"], root, is_ending=ending.is_set)
    child = wait_for_child(root)

    ending.set()

    working.join(PATIENCE)
    assert not is_alive(child)
    assert shown(client, run)["state"] == "waiting"
    assert tick() == 1
    assert shown(client, run)["state"] == "done"


def test_run_of_a_killed_worker_is_done_by_another(client, root):
    file_id = store(client)
    run = ask(client, file_id).json()
    connection.close()
    pid = os.fork()
    if pid == 0:
        try:
            worker.work(run["id"], choose=run_module("announce", str(root / "child")))
        finally:
            os._exit(1)
    child = wait_for_child(root)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)

    wait_until(lambda: not is_alive(child))
    assert shown(client, run)["state"] == "running"
    assert runs.claim_due_runs(now=timezone.now()) == []
    later = timezone.now() + timedelta(minutes=5)
    assert [str(each) for each in runs.claim_due_runs(now=later)] == [run["id"]]
    worker.work(run["id"], clock=lambda: timezone.now() + timedelta(minutes=5))
    assert shown(client, run)["state"] == "done"


def test_run_that_kills_its_workers_is_given_up(client):
    file_id = store(client)
    run = ask(client, file_id).json()
    FileRun.objects.update(fence=MOST_STARTS)

    worker.work(run["id"])

    assert "never came to an end" in shown(client, run)["message"]


def test_no_more_runs_are_at_work_than_there_are_slots(client, settings):
    settings.FILE_RUNS_AT_ONCE = 2
    for number in range(3):
        ask(client, store(client, f"study{number}.vcf.gz"))

    now = timezone.now()
    found = [runs.claim_due_runs(now=now) for _ in range(2)]

    assert [len(each) for each in found] == [2, 0]


def test_repair_that_makes_more_than_may_be_stored_keeps_nothing(client, settings, root):
    settings.GENOTYPE_STORAGE_MB = 1
    file_id = store(client, "study.vcf", vcf())
    run = ask(client, file_id, "repairs", repairs=["bgzip"]).json()
    GenotypeFile.objects.filter(pk=file_id).update(size=1024 * 1024)

    worker.work(run["id"])

    assert "Delete files" in shown(client, run)["message"]
    assert GenotypeFile.objects.count() == 1


def test_deleted_account_takes_its_rows_along_without_our_code(client):
    ask(client, store(client))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE imputation_auditlog SET user_id = NULL; DELETE FROM auth_user")

    assert GenotypeFile.objects.count() == FileRun.objects.count() == 0


def in_thread(run_id: str, root: Path, **options: Any) -> threading.Thread:
    """A worker with a child that waits."""

    def work() -> None:
        try:
            worker.work(UUID(run_id), choose=run_module("announce", str(root / "child")), **options)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def wait_for_child(root: Path) -> int:
    wait_until(lambda: (root / "child").is_file() and (root / "child").read_text() != "")
    return int((root / "child").read_text())


def wait_until(holds) -> None:
    """Look until it holds."""
    event = threading.Event()
    for _ in range(int(PATIENCE / 0.05)):
        if holds():
            return
        event.wait(0.05)
    raise AssertionError("It never held.")


def is_alive(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False
