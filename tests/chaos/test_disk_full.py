"""The disk fills at every writing step: told, nothing half-done, and it goes on with new room.

Two tools make the limit fall where a test wants it. `largest_file` (RLIMIT_FSIZE) ends a file of
one process at a byte, for every user; a small file system with a filler in it ends all of them
(ENOSPC), for root.
"""

import json
import secrets
from collections import deque

import psycopg
import pytest

from tests.chaos.site import STUDY, Site, eventually, study_of
from tests.michigan_server import MichiganServer

SENTENCE = "The disk of this server is full: nothing was stored. Try again later."
SMALL, LARGE = 20_000, 3 * 2**20  # Django keeps the first in memory, and the second not
PANEL = "apps@kit-afr@1.0.0"


def submit_to_node(site: Site, name: str, content: bytes) -> tuple[int, str]:
    """Status and message of a submission straight to the node."""
    fields = {"job-name": name, "refpanel": PANEL, "build": "hg38", "phasing": "no_phasing"}
    answer = site.session.post(
        f"{site.node['url']}/api/v2/jobs/submit/imputationserver2",
        data=fields | {"population": "afr", "mode": "imputation"},
        files={"files": ("study.vcf.gz", content)},
        headers={"X-Auth-Token": site.node["token"]},
        timeout=60,
    )
    return answer.status_code, str(answer.json()["message"])


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
def test_an_upload_that_no_file_can_hold_is_refused_at_every_limit(
    site: Site, service: MichiganServer, size: int
):
    form = site.form(site.register(service.url, token=service.token), content=study_of(size))
    before, jobs = site.files(), site.job_count()

    for limit in (0, 1, 4_096, size - 1):
        with site.largest_file("monolith", limit):
            answer = site.send(form, chunked=True)
        assert answer.status_code == 507, (limit, answer.text)
        assert answer.json()["detail"] == SENTENCE
        assert answer.json()["code"] == "storage_full"
        assert site.files() == before, limit
        eventually(lambda: site.nameless_bytes("monolith") == 0)

    assert site.job_count() == jobs
    assert site.send(form, chunked=True).status_code == 201


def test_an_upload_to_a_full_disk_is_refused_at_every_step(
    site: Site, service: MichiganServer, small_disks
):
    form = site.form(site.register(service.url, token=service.token), content=study_of(LARGE))
    jobs = site.job_count()
    with small_disks.at("monolith", 5 * LARGE) as disk:
        before = site.files()
        for tenths in (1, 5, 9, 11, 15, 19, 21, 25, 29, 31, 45):
            with disk.filled(leave=tenths * LARGE // 10):
                answer = site.send(form, chunked=True)
            if answer.status_code == 201:
                break
            assert answer.status_code == 507, (tenths, answer.text)
            assert answer.json()["detail"] == SENTENCE, tenths
            assert site.files() == before, tenths
            eventually(lambda: site.nameless_bytes("monolith") == 0)
            assert site.job_count() == jobs
        assert tenths > 9
        assert answer.status_code == 201
        with disk.filled(leave=LARGE // 2):
            announced = site.send(form)
        assert announced.status_code == 507, announced.text
        assert announced.json()["detail"] == SENTENCE
        site.session.post(f"{site.url}/api/jobs/{answer.json()['id']}/cancel/", timeout=30)
        site.wait(answer.json()["id"])


@pytest.mark.timeout(240)
def test_a_result_without_room_waits_for_it(site: Site, service: MichiganServer, small_disks):
    content = bytes(range(256)) * (2**20 // 256)
    service.states, service.files = (2,), {"qc_report.txt": content}
    panel = site.register(service.url, token=service.token)
    with small_disks.at("monolith", 128 * 2**20) as disk:
        job_id = site.send(site.form(panel, content=study_of(SMALL))).json()["id"]
        eventually(lambda: service.submissions[f"fip-{job_id}"] == 1)
        with disk.filled(leave=2**19):
            next(iter(service.jobs.values())).states = deque([4])
            job = site.wait_until(
                job_id, lambda job: any("not enough room" in event.message for event in job.events)
            )
            assert job.status == "running"
            assert site.api.files(job_id) == []
            assert service.count("download") == 0
            assert not [path for path in site.files() if path.startswith("results/")]
        job = site.wait(job_id, seconds=150)
        assert job.status == "completed", job.reason
        (file,) = site.api.files(job_id)
        assert file.size == len(content)
        # One more only where a busy machine took the worker's lease away in the middle of it.
        assert service.count("download") <= 2


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
def test_a_submission_that_the_node_cannot_hold_is_refused(site: Site, size: int):
    before, name = site.files("node-afr"), f"full-{secrets.token_hex(4)}"
    for limit in (0, 4_096, size - 1):
        with site.largest_file("node-afr", limit):
            status, message = submit_to_node(site, name, study_of(size))
        assert (status, message) == (503, SENTENCE), limit
        eventually(lambda: site.files("node-afr"), lambda files: files == before, seconds=10)
        eventually(lambda: site.nameless_bytes("node-afr") == 0)
    assert site.node_jobs(name) == []


@pytest.mark.parametrize("step", ["qc", "imputation", "export"])
def test_a_pipeline_without_room_fails_in_words_and_the_node_goes_on(
    site: Site, small_disks, step: str
):
    name, after = (f"{what}-{secrets.token_hex(4)}" for what in (step, "after"))
    with small_disks.at("node-afr", 64 * 2**20) as disk:
        site.state.node_hold.write_text(f"{step}\n")
        status, _ = submit_to_node(site, name, STUDY.read_bytes())
        assert status == 200
        eventually(lambda: f"Held at {step}." in json.dumps(site.node_job(name)))
        with disk.filled(leave=0):
            site.state.node_hold.unlink()
            job = eventually(lambda: site.node_job(name), lambda job: job["state"] in {4, 5, 6})
            assert job["state"] == 5
            told = json.dumps(job)
            assert "The disk of this server is full. Nothing is wrong with your data" in told
            assert "Traceback" not in told
        assert site.serves()
        status, message = submit_to_node(site, after, study_of(SMALL))
        assert status == 200, message
        eventually(lambda: site.node_job(after), lambda job: job["state"] == 5)


@pytest.mark.timeout(400)  # the pages that have room left may take some hundred jobs
def test_a_database_without_room_refuses_and_goes_on(
    site: Site, service: MichiganServer, small_disks
):
    panel = site.register(service.url, token=service.token)
    form = site.form(panel, content=study_of(SMALL))
    tables = ("imputation_jobstatusupdate", "imputation_auditlog")
    with (
        small_disks.for_postgres(64 * 2**20) as disk,
        psycopg.connect(site.database_url(superuser=True), autocommit=True) as database,
    ):
        database.execute(f"CREATE TABLESPACE small LOCATION '{disk.folder}'")
        for table in tables:
            database.execute(f"ALTER TABLE {table} SET TABLESPACE small")
        try:
            with disk.filled(leave=0):
                # Pages have some room left: ask until they are full.
                answers = [site.send(form)]
                while answers[-1].status_code == 201 and len(answers) < 200:
                    answers.append(site.send(form))
                assert answers[-1].status_code == 503, answers[-1].text
                assert site.session.get(f"{site.url}/api/services/", timeout=30).status_code == 200
            taken = [answer.json()["id"] for answer in answers[:-1]]
            assert site.send(form).status_code == 201
            for job_id in taken:
                assert site.wait(job_id, seconds=150).status == "completed"
        finally:
            for table in tables:
                database.execute(f"ALTER TABLE {table} SET TABLESPACE pg_default")
            database.execute("DROP TABLESPACE small")


def test_logs_without_room_stop_nobody(site: Site, service: MichiganServer):
    panel = site.register(service.url, token=service.token)
    processes = ("monolith", "monolith-worker", "monolith-beat")
    pids = [site.pid(process) for process in processes]
    job_id = site.send(site.form(panel, content=study_of(SMALL))).json()["id"]
    with (
        site.largest_file("monolith", 0),
        site.largest_file("monolith-worker", 10_000),
        site.largest_file("monolith-beat", 0),
    ):
        assert site.session.get(f"{site.url}/api/nowhere/", timeout=30).status_code == 404
        assert site.session.get(f"{site.url}/api/jobs/", timeout=30).status_code == 200
        assert site.wait(job_id).status == "completed"
    assert [site.pid(process) for process in processes] == pids


def test_a_supervisor_without_room_still_restarts_what_ends(site: Site):
    before = site.pid("node-eur")
    with site.largest_file("supervisor", 0):
        site.kill("node-eur")
        eventually(site.serves, lambda serves: not serves)
        eventually(site.serves)
        assert site.pid("node-eur") == before  # what found room last
    eventually(lambda: site.pid("node-eur"), lambda pid: pid != before)
