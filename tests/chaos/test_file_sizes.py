"""Files of no bytes and of very many: refused in words, or taken in constant memory."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from federated_imputation.platform.api_client import Job, OfferedPanel
from tests.chaos.site import Site, eventually, study_of
from tests.michigan_server import MichiganServer

MEGABYTE = 2**20
MOST_GROWTH_MB = 50


def test_an_empty_file_is_refused_in_words(site: Site, service: MichiganServer):
    form = site.form(site.register(service.url, token=service.token), content=b"")
    before, jobs = site.files(), site.job_count()
    answer = site.send(form)
    assert answer.status_code == 400
    assert answer.json()["details"] == {"input_file": ["The submitted file is empty."]}
    assert (site.files(), site.job_count()) == (before, jobs)


def test_an_empty_result_is_stored_as_it_is(site: Site, service: MichiganServer):
    service.files = {"snps-excluded.txt": b""}
    panel = site.register(service.url, token=service.token)
    job = site.wait(site.send(site.form(panel, content=study_of(2_000))).json()["id"])
    assert job.status == "completed", job.reason
    (file,) = site.api.files(job.id)
    assert file.size == 0
    answer = site.session.get(f"{site.url}/api/result-files/{file.id}/download/", timeout=30)
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_file_larger_than_any_service_takes_is_refused_before_it_is_sent(
    site: Site, service: MichiganServer
):
    panel = site.register(service.url, token=service.token)
    answer = site.session.post(
        f"{site.url}/api/jobs/",
        data=Stream(site, panel, size=100 * 2**30, stop_after=MEGABYTE),
        headers={"Content-Type": "multipart/form-data; boundary=chaos"},
        timeout=60,
    )
    assert answer.status_code == 413
    assert answer.json()["detail"].startswith("The request is larger than ")


def test_a_large_file_is_taken_in_constant_memory(site: Site, service: MichiganServer):
    _take(site, service, size=200 * MEGABYTE)


@pytest.mark.long
@pytest.mark.timeout(1_500)
def test_ten_gigabytes_are_taken_in_constant_memory(site: Site, service: MichiganServer):
    _take(site, service, size=10 * 2**30)


class Stream:
    """The body of a submission that is made while it is sent.

    Args:
        stop_after: Nothing more is sent after that many bytes.
    """

    def __init__(
        self, site: Site, panel: OfferedPanel, *, size: int, stop_after: int | None = None
    ) -> None:
        head = study_of(1_000)
        form = site.form(panel, content=head)
        at = form.body.index(head) + len(head)
        self._head, self._tail = form.body[:at], form.body[at:]
        self._zeros = size - len(head)
        self._stop_after = stop_after
        self.len = len(self._head) + self._zeros + len(self._tail)

    def __len__(self) -> int:
        return self.len

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        left = self._zeros if self._stop_after is None else min(self._zeros, self._stop_after)
        block = bytes(MEGABYTE)
        while left:
            yield block[: min(left, MEGABYTE)]
            left -= min(left, MEGABYTE)
        if self._stop_after is None:
            yield self._tail


def _take(site: Site, service: MichiganServer, *, size: int) -> None:
    panel = site.register(service.url, token=service.token)
    with psycopg.connect(site.database_url(superuser=False), autocommit=True) as database:
        database.execute(
            "UPDATE imputation_imputationservice SET max_file_size_mb = %s WHERE id = %s",
            [size // MEGABYTE + 1, panel.service_id],
        )
    stream = Stream(site, panel, size=size)
    processes = ("monolith", "monolith-worker")
    idle = {process: site.memory_mb(process) for process in processes}
    most = dict(idle)

    def work() -> Job:
        answer = site.session.post(
            f"{site.url}/api/jobs/",
            data=stream,
            headers={"Content-Type": "multipart/form-data; boundary=chaos"},
            timeout=1_200,
        )
        assert answer.status_code == 201, answer.text
        return site.wait(answer.json()["id"], seconds=1_200)

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(work)
        job: Job | None = None
        while job is None:
            for process in processes:
                most[process] = max(most[process], site.memory_mb(process))
            with suppress(TimeoutError):
                job = done.result(timeout=0.2)

    assert job.status == "completed", job.reason
    for process in processes:
        assert most[process] - idle[process] <= MOST_GROWTH_MB, (process, idle, most)
    (external,) = [there for there in service.jobs.values() if there.name == f"fip-{job.id}"]
    assert [received for received, _ in external.uploads.values()] == [size]
    for upload in [path for path, there in site.files().items() if there == size]:
        (Path(site.state.data("monolith")) / upload).unlink()
    eventually(lambda: site.nameless_bytes("monolith") == 0)
