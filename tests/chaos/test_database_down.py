"""PostgreSQL goes away and comes back, in the middle of requests, uploads, downloads and jobs."""

import threading
from collections.abc import Iterator

import pytest
import requests

from tests.chaos.site import Site, eventually, study_of
from tests.michigan_server import MichiganServer

SENTENCE = "Not possible now: the database does not answer. Try again later."
SIZE = 8 * 2**20  # half of it is more than Django keeps in memory


@pytest.mark.parametrize("path", ["/admin/", "/admin/login/", "/api/jobs/", "/api/services/"])
def test_pages_and_the_api_ask_for_patience_and_serve_again(site: Site, path: str):
    with site.down("postgres"):
        answer = site.session.get(site.url + path, timeout=30)
        alive = site.session.get(f"{site.url}/healthz", timeout=30)
        ready = site.session.get(f"{site.url}/readyz", timeout=30)
    assert answer.status_code == 503, answer.text
    assert SENTENCE in answer.text
    assert int(answer.headers["Retry-After"]) > 0
    if path.startswith("/api/"):
        assert answer.json()["code"] == "unavailable"
        assert answer.json()["request_id"]
    else:
        assert answer.headers["Content-Type"].startswith("text/html")
    assert (alive.status_code, ready.status_code) == (200, 503)
    assert site.session.get(site.url + path, timeout=30).status_code == 200


def test_a_node_asks_for_patience_in_its_own_words(site: Site):
    headers = {"X-Auth-Token": site.node["token"]}
    with site.down("postgres"):
        jobs = requests.get(f"{site.node['url']}/api/v2/jobs", headers=headers, timeout=30)
        page = requests.get(f"{site.node['url']}/", timeout=30)
    assert jobs.status_code == 503
    assert jobs.json() == {"message": SENTENCE, "success": False}
    assert page.status_code == 503
    eventually(lambda: site.node_jobs() is not None)


def test_an_upload_that_loses_its_database_is_refused_and_leaves_nothing(
    site: Site, service: MichiganServer
):
    form = site.form(site.register(service.url, token=service.token), content=study_of(SIZE))
    before, jobs = site.files(), site.job_count()
    half_sent, is_down = threading.Event(), threading.Event()

    def body() -> Iterator[bytes]:
        yield form.body[: SIZE // 2]
        half_sent.set()
        assert is_down.wait(60)
        yield form.body[SIZE // 2 :]

    answers: list[requests.Response] = []

    def send() -> None:
        headers = {"Content-Type": form.content_type}
        url = f"{site.url}/api/jobs/"
        answers.append(site.session.post(url, data=body(), headers=headers, timeout=60))

    sender = threading.Thread(target=send)
    sender.start()
    assert half_sent.wait(60)
    eventually(lambda: site.nameless_bytes("monolith") > SIZE // 4)
    with site.down("postgres"):
        is_down.set()
        sender.join()
    (answer,) = answers
    assert answer.status_code == 503
    assert answer.json()["detail"] == SENTENCE
    assert site.files() == before
    assert site.job_count() == jobs


def test_a_download_goes_on_without_the_database(site: Site, service: MichiganServer):
    content = bytes(range(256)) * (32 * 2**20 // 256)  # more than sockets hold on the way
    service.files = {"qc_report.txt": content}
    panel = site.register(service.url, token=service.token)
    job = site.wait(site.send(site.form(panel, content=study_of(2_000))).json()["id"])
    (file,) = site.api.files(job.id)
    url = f"{site.url}/api/result-files/{file.id}/download/"

    with site.session.get(url, stream=True, timeout=60) as answer:
        pieces = answer.iter_content(65_536)
        received = [next(pieces)]
        with site.down("postgres"):
            received += pieces

    assert b"".join(received) == content


def test_a_job_under_way_waits_for_the_database_and_is_submitted_once(
    site: Site, service: MichiganServer
):
    service.states = (1, 2, 2, 2, 4)
    panel = site.register(service.url, token=service.token)
    job_id = site.send(site.form(panel, content=study_of(2_000))).json()["id"]
    eventually(lambda: service.submissions[f"fip-{job_id}"] == 1)

    with site.down("postgres"):
        polls = service.count("job")
        assert polls < len(service.states)

    job = site.wait(job_id)
    assert job.status == "completed", job.reason
    assert service.submissions[f"fip-{job_id}"] == 1
    assert [file.name for file in site.api.files(job_id)] == ["qc_report.txt"]
