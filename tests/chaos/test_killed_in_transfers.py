"""Processes killed in the middle of the bytes between the platform and a service.

Kills between the steps of a job are in `test_job_crashes.py`, those in the steps of the node's
pipeline in `tests/e2e/test_kills.py`.
"""

import pytest

from tests.chaos.proxies import Proxy
from tests.chaos.site import STUDY, Site, eventually, study_of
from tests.michigan_server import MichiganServer

SIZE = 400_000


@pytest.mark.long  # what may have arrived is looked for during two minutes
@pytest.mark.timeout(400)
def test_a_worker_killed_while_it_sends_sends_again_and_once(site: Site):
    with MichiganServer() as behind, Proxy(behind.url, port=site.service_port) as line:
        behind.states, behind.files = (4,), {"qc_report.txt": b"whole"}
        panel = site.register(line.url, token=behind.token)
        line.hold_at(SIZE // 2)
        job_id = site.send(site.form(panel, content=study_of(SIZE))).json()["id"]
        assert line.held.wait(60)
        site.kill("monolith-worker")
        line.release()
        job = site.wait(job_id, seconds=350)
    assert job.status == "completed", job.reason
    assert behind.submissions[f"fip-{job_id}"] == 1


@pytest.mark.timeout(200)
def test_a_worker_killed_while_it_fetches_leaves_no_half_file(site: Site):
    content = bytes(range(256)) * (SIZE // 256)
    with (
        MichiganServer() as behind,
        Proxy(behind.url, port=site.service_port, rate=SIZE // 2) as line,
    ):
        behind.states, behind.files = (4,), {"qc_report.txt": content}
        panel = site.register(line.url, token=behind.token)
        job_id = site.send(site.form(panel, content=study_of(2_000))).json()["id"]
        eventually(lambda: any(f"results/{job_id}" in path for path in site.files()))
        site.kill("monolith-worker")
        line.rate = None
        job = site.wait(job_id, seconds=150)
        (file,) = site.api.files(job_id)
        answer = site.session.get(f"{site.url}/api/result-files/{file.id}/download/", timeout=30)
    assert job.status == "completed", job.reason
    assert answer.content == content
    (external,) = behind.jobs.values()
    told = [event.message for event in job.events]
    words = "\n".join([*told, site.last_words("monolith-worker")])
    assert external.downloaded["qc_report.txt"] <= 2, words


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_node_killed_while_a_submission_arrives_gets_it_again_and_once(site: Site):
    before = set(site.files("node-afr"))
    with Proxy(site.node["url"], port=site.service_port) as line:
        panel = site.register(line.url, token=site.node["token"])
        line.hold_at(STUDY.stat().st_size // 2)
        job_id = site.submit(panel, name="node killed")
        assert line.held.wait(60)
        site.kill("node-afr")
        eventually(site.serves, lambda serves: not serves)
        line.release()
        eventually(site.serves)
        job = site.wait(job_id, seconds=150)
    assert job.status == "completed", job.reason
    assert len(site.node_jobs(f"fip-{job_id}")) == 1
    left = [path for path in set(site.files("node-afr")) - before if path.startswith("uploads/")]
    assert left == []
