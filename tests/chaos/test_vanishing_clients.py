"""Clients that vanish at many byte positions of an upload and of a download.

A vanished client is a connection that is reset: what its kernel sends when the program is killed.
"""

import hashlib
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.chaos.site import Form, Site, eventually, study_of
from tests.michigan_server import MichiganServer

SIZE = 3 * 2**20  # more than Django keeps in memory
SMALL = 20_000
DOWNLOAD = 2 * 2**20
FULL_LINE = struct.pack("ii", 1, 0)  # no lingering: close resets


@contextmanager
def connection(site: Site, url: str = "") -> Iterator[socket.socket]:
    """A connection that is reset when the block ends."""
    address = urlsplit(url or site.url)
    with socket.create_connection((address.hostname, address.port or 80), timeout=30) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, FULL_LINE)
        yield line


def head_of(site: Site, form: Form, *, length: int | None) -> bytes:
    cookies = "; ".join(f"{name}={value}" for name, value in site.session.cookies.items())
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return (
        f"POST /api/jobs/ HTTP/1.1\r\nHost: {urlsplit(site.url).netloc}\r\n"
        f"Cookie: {cookies}\r\n"
        f"Content-Type: {form.content_type}\r\n{framing}\r\n\r\n"
    ).encode()


def positions(whole: int, *, head: int) -> list[int]:
    """In the head, at its end, in the form, within and between blocks, before the last byte."""
    inside = (0, 1, 100, 65_535, 65_536, 65_537, whole // 3, whole // 2)
    return sorted({0, 1, 20, head - 1} | {head + at for at in inside if at < whole})


@pytest.mark.parametrize("size", [SMALL, SIZE], ids=["small", "large"])
def test_a_cut_upload_leaves_nothing(site: Site, service: MichiganServer, size: int):
    form = site.form(site.register(service.url, token=service.token), content=study_of(size))
    head = head_of(site, form, length=len(form.body))
    whole = head + form.body
    site.send(form)  # whatever is opened once is open
    before, jobs, handles = site.files(), site.job_count(), site.open_files("monolith")

    cuts = [*positions(len(form.body), head=len(head)), len(whole) - 1]
    for cut in cuts:
        with connection(site) as line:
            line.sendall(whole[:cut])

    eventually(site.files, lambda files: files == before)
    assert site.job_count() == jobs
    eventually(lambda: site.open_files("monolith"), lambda now: now <= handles + 2)
    assert site.send(form).status_code == 201


def test_a_client_that_vanishes_after_the_last_byte_has_a_whole_job_or_none(
    site: Site, service: MichiganServer
):
    form = site.form(site.register(service.url, token=service.token), content=study_of(SMALL))
    jobs, before = site.job_count(), set(site.files())
    for _ in range(5):
        with connection(site) as line:
            line.sendall(head_of(site, form, length=len(form.body)) + form.body)

    def stored() -> int:
        return sum(path.startswith("uploads/") for path in set(site.files()) - before)

    eventually(lambda: (stored(), site.job_count() - jobs), lambda seen: seen[0] == seen[1])
    assert all(size > SMALL - 1 for path, size in site.files().items() if path not in before)
    eventually(lambda: len(service.submissions), lambda sent: sent == site.job_count() - jobs)


def test_a_cut_download_is_one_download_however_often_it_is_continued(
    site: Site, service: MichiganServer
):
    content = bytes(range(256)) * (DOWNLOAD // 256)
    service.files = {"qc_report.txt": content}
    panel = site.register(service.url, token=service.token)
    job = site.wait(site.send(site.form(panel, content=study_of(SMALL))).json()["id"])
    (file,) = site.api.files(job.id)
    path = f"/api/result-files/{file.id}/download/"
    handles = site.open_files("monolith")
    cookies = "; ".join(f"{name}={value}" for name, value in site.session.cookies.items())

    for cut in (0, 1, 200, 1_000, 65_536, 300_000, DOWNLOAD // 2, DOWNLOAD - 1):
        with connection(site) as line:
            line.sendall(
                f"GET {path} HTTP/1.1\r\nHost: {urlsplit(site.url).netloc}\r\n"
                f"Cookie: {cookies}\r\nRange: bytes=1-\r\n\r\n".encode()
            )
            read = 0
            while read < cut:
                read += len(line.recv(min(65_536, cut - read)))

    eventually(lambda: site.open_files("monolith"), lambda now: now <= handles + 2)
    answer = site.session.get(site.url + path, headers={"Range": "bytes=0-"}, timeout=30)
    assert hashlib.sha256(answer.content).digest() == hashlib.sha256(content).digest()
    with psycopg.connect(site.database_url(superuser=False)) as database:
        rows = database.execute(
            "SELECT count(*) FROM imputation_auditlog "
            "WHERE action = 'data_access' AND resource_id = %s",
            [str(file.id)],
        ).fetchone()
    # One for the piece that began a download of its own, one for the whole.
    assert rows == (2,)


def test_a_cut_submission_leaves_nothing_at_the_node(site: Site):
    body = (
        b'--chaos\r\nContent-Disposition: form-data; name="job-name"\r\n\r\ncut\r\n'
        b'--chaos\r\nContent-Disposition: form-data; name="files"; filename="s.vcf.gz"\r\n\r\n'
        + study_of(SIZE)
        + b"\r\n--chaos--\r\n"
    )
    head = (
        "POST /api/v2/jobs/submit/imputationserver2 HTTP/1.1\r\n"
        f"Host: {urlsplit(site.node['url']).netloc}\r\nX-Auth-Token: {site.node['token']}\r\n"
        "Content-Type: multipart/form-data; boundary=chaos\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    before, handles = site.files("node-afr"), site.open_files("node-afr")

    for cut in [*positions(len(body), head=len(head)), len(head) + len(body) - 1]:
        with connection(site, site.node["url"]) as line:
            line.sendall((head + body)[:cut])

    eventually(lambda: site.files("node-afr"), lambda files: files == before)
    eventually(lambda: site.open_files("node-afr"), lambda now: now <= handles + 2)
    assert site.node_jobs("cut") == []
