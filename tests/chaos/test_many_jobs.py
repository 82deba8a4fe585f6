"""Very many jobs at once, two workers, and messages that come twice: each is accounted for."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from federated_imputation.platform.environment import inherited_variables, read_environment
from federated_imputation.platform.state import CHECKOUT
from tests.chaos.site import Site, eventually, study_of
from tests.michigan_server import MichiganServer

SENDERS = 4
WORK = (
    "import sys; from federated_imputation.platform import programs; "
    "programs.work(heartbeat=sys.argv[1])"
)


@pytest.mark.timeout(400)
def test_forty_jobs_at_once_all_end(site: Site, service: MichiganServer, tmp_path: Path):
    _run(site, service, tmp_path, jobs=40, seconds=300)


@pytest.mark.long
@pytest.mark.timeout(1_500)
def test_a_thousand_jobs_at_once_all_end(site: Site, service: MichiganServer, tmp_path: Path):
    _run(site, service, tmp_path, jobs=1_000, seconds=1_200)


@contextmanager
def second_worker(site: Site, heartbeat: Path) -> Iterator[None]:
    """A worker beside the platform's own, as on a second machine."""
    environment = {
        **inherited_variables(os.environ),
        **read_environment(site.state, "monolith"),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", WORK, str(heartbeat)],
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def _run(site: Site, service: MichiganServer, folder: Path, *, jobs: int, seconds: float) -> None:
    service.job_limit = jobs
    form = site.form(site.register(service.url, token=service.token), content=study_of(1_000))
    before = site.job_count()

    with second_worker(site, folder / "heartbeat"), ThreadPoolExecutor(SENDERS) as pool:
        answers = list(pool.map(lambda _: site.send(form), range(jobs)))
        assert {answer.status_code for answer in answers} == {201}
        ids = [answer.json()["id"] for answer in answers]
        eventually(
            lambda: _statuses(site, ids),
            lambda seen: not {"pending", "queued", "running"} & seen.keys(),
            seconds=seconds,
        )

    assert _statuses(site, ids) == {"completed": jobs}
    assert len(set(ids)) == jobs
    assert site.job_count() == before + jobs
    assert {service.submissions[f"fip-{job_id}"] for job_id in ids} == {1}
    assert _fetched_again(site, service) == {}, site.last_words("monolith-worker")
    for job_id in ids[:: max(1, jobs // 10)]:
        assert len(site.api.files(job_id)) == len(service.files)


def _fetched_again(site: Site, service: MichiganServer) -> dict[str, list[str]]:
    """Jobs whose files were not fetched just once, with what their owners read about it."""
    return {
        job.name: [event.message for event in site.api.job(job.name.removeprefix("fip-")).events]
        for job in service.jobs.values()
        if sum(job.downloaded.values()) != len(service.files)
    }


def _statuses(site: Site, ids: list[str]) -> Counter[str]:
    with psycopg.connect(site.database_url(superuser=False)) as database:
        rows = database.execute(
            "SELECT status FROM imputation_imputationjob WHERE id = ANY(%s::uuid[])", [ids]
        )
        return Counter(str(status) for (status,) in rows)
