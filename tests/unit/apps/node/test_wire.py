"""What only shows between two processes: bytes of requests and answers, and requests at once."""

import html
import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from threading import Barrier
from typing import Any, TypeVar

import psutil
import pytest
import requests
from django.utils import timezone

from apps.node.kit_panels import KIT
from apps.node.models import Job, OutputFile, User
from apps.node.operations.accounts import create_api_token
from apps.node.operations.jobs import set_maintenance
from apps.node.states import State
from apps.node.tokens import issue_session_token
from tests.unit.apps.node.conftest import make_account
from tests.unit.apps.node.running import (
    SUBMIT,
    Client,
    Node,
    a_running_node,
    commit,
    eventually,
    files_of,
    has_ended,
    is_held,
    texts_of,
)

pytestmark = pytest.mark.django_db
BOUNDARY = "of-the-parts"
T = TypeVar("T")


@pytest.fixture(scope="module")
def running_node(
    django_db_setup: None,
    django_db_blocker: Any,
    tmp_path_factory: pytest.TempPathFactory,
    kit_panels: Path,
) -> Iterator[Node]:
    with (
        django_db_blocker.unblock(),
        a_running_node(tmp_path_factory.mktemp("wire"), kit_panels, NODE_JOBS_PER_USER="2") as node,
    ):
        yield node


@pytest.fixture
def node(running_node: Node) -> Iterator[Node]:
    """The node with no job held, and none active when the test has ended."""
    running_node.hold.unlink(missing_ok=True)
    yield running_node
    running_node.hold.unlink(missing_ok=True)
    for job in running_node.client.get("/api/v2/jobs").json()["data"]:
        running_node.client.wait(job["id"], has_ended)


@pytest.fixture
def client(node: Node) -> Client:
    return node.client


@pytest.fixture(scope="module")
def imputed(running_node: Node) -> Any:
    """A job that succeeded, for tests that only look; a job costs seconds."""
    client = running_node.client
    study = (KIT / "target.phased.vcf.gz").read_bytes()
    job = client.wait(client.submit(study), has_ended)[-1]
    assert job["state"] == State.SUCCESS, texts_of(job)
    return job


def at_once(number: int, do: Callable[[int], T]) -> list[T]:
    """`do` by `number` threads that all wait for the last of them before they begin."""
    barrier = Barrier(number)

    def run(each: int) -> T:
        barrier.wait(60)
        return do(each)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(run, range(number)))


def newcomer(node: Node, username: str, **fields: Any) -> Client:
    """A client of a user who is there for the node too."""
    made: list[Client] = []

    def make() -> None:
        made.append(Client(node.server.url, make_account(username, **fields).api_token))

    commit(make)
    return made[0]


def failed_at_once(client: Client, **fields: str) -> Any:
    """A job that ended before any pipeline was started."""
    return client.wait(client.submit(b"", refpanel="none", **fields), has_ended)[-1]


def jobs_on_disk(node: Node) -> set[str]:
    return {path.name for path in node.server.data.glob("jobs/*")}


def part(disposition: str, content: bytes, *more: str) -> bytes:
    head = "\r\n".join([f"Content-Disposition: form-data; {disposition}", *more])
    return f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + content + b"\r\n"


def post_parts(client: Client, *parts: bytes) -> requests.Response:
    return requests.post(
        client.url + SUBMIT,
        data=b"".join(parts) + f"--{BOUNDARY}--\r\n".encode(),
        headers={
            "X-Auth-Token": client.token,
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        },
        timeout=60,
    )


def test_fields_may_carry_the_prefix_of_forms_and_files_any_name(node, client, study):
    answer = post_parts(
        client,
        part('name="input-refpanel"', b"kit-afr"),
        part('name="input-build"', b"hg38"),
        part('name="input-population"', b"off"),
        part('name="input-mode"', b"qc_only"),
        part('name="input-phasing"', b"no_phasing"),
        part('name="files-pattern"', b"*.vcf.gz"),
        part('name="input-files"; filename="/home/amina/a b;$(x).vcf.gz"', study),
        part('name="files"; filename="a_b____x_.vcf.gz"', study, "Content-Type: application/gzip"),
        part('name="files"; filename="empty.txt"', b""),
        part(f'name="files"; filename="{"n" * 255}.txt"', b"ignored"),
    )
    assert answer.status_code == 200, answer.text
    job = client.wait(answer.json()["id"], has_ended)[-1]
    # Both were taken, though the second name is what the first becomes.
    assert "a_b____x_.vcf.gz" in texts_of(job), texts_of(job)
    assert "both of chromosome 20" in texts_of(job)
    assert "empty.txt" not in texts_of(job)


def test_a_result_comes_without_length_range_or_validator(client, imputed):
    file = files_of(imputed)["statistics/snps-excluded.txt"]
    connection = HTTPConnection(client.url.removeprefix("http://"), timeout=60)
    path = f"/share/results/{file['hash']}/{file['name']}"
    connection.request("GET", path, headers={"Range": "bytes=0-1"})
    answer = connection.getresponse()
    headers = {name.lower(): value for name, value in answer.getheaders()}
    assert answer.status == 200
    assert headers["transfer-encoding"] == "chunked"
    assert not {"content-length", "etag", "accept-ranges", "last-modified"} & set(headers)
    assert answer.read().startswith(b"ID\tCHROM")
    connection.close()
    encoded = f"{client.url}/share/amina/{file['hash']}/{file['name'].replace('/', '%2F')}"
    assert requests.get(encoded, timeout=60).status_code == 200


def test_messages_are_html_with_types_and_sizes_are_rounded_texts(imputed):
    messages = [m for step in imputed["steps"] for m in step["logMessages"]]
    assert "<b>" in texts_of(imputed)
    assert 'class="progress-bar"' in texts_of(imputed)
    assert {message["type"] for message in messages} <= {0, 1, 2}
    assert all(message["success"] is True for message in messages)
    files = files_of(imputed)
    assert all(re.fullmatch(r"\d+ (bytes|KB|MB)", file["size"]) for file in files.values())
    assert len({file["hash"] for file in files.values()}) == len(files)
    assert all(re.fullmatch(r"[0-9a-f]{64}", file["hash"]) for file in files.values())
    (folder,) = [each for each in imputed["outputParams"][0]["tree"] if each["folder"]]
    assert folder["name"] == "statistics"
    assert {child["name"] for child in folder["childs"]} >= {
        "chunks-excluded.txt",
        "snps-excluded.txt",
    }


def test_exactly_the_downloads_that_are_left_succeed_at_once(client, imputed):
    file = files_of(imputed)["statistics/snps-typed-only.txt"]
    commit(lambda: OutputFile.objects.filter(hash=file["hash"]).update(count=3))
    answers = at_once(8, lambda _: client.download(file))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [400] * 5
    refused = next(answer for answer in answers if answer.status_code == 400)
    assert refused.json() == {"message": "number of max downloads exceeded.", "success": False}
    assert files_of(client.job(imputed["id"]))[file["name"]]["count"] == 0


def test_of_submissions_at_once_as_many_are_taken_as_are_allowed(node, client, study):
    node.hold.write_text("qc")  # what was taken stays running or waiting
    before = jobs_on_disk(node)
    answers = at_once(6, lambda _: client.post(study, mode="qc_only"))
    assert sorted(answer.status_code for answer in answers) == [200] * 2 + [400] * 4
    message = "Only 2 jobs per user can be executed simultaneously."
    assert {a.json()["message"] for a in answers if not a.ok} == {message}
    taken = {answer.json()["id"] for answer in answers if answer.ok}
    assert jobs_on_disk(node) - before == taken
    eventually(lambda: not any((node.server.data / "uploads").iterdir()))  # once all is answered
    admin = newcomer(node, "root-at-once", role=User.Role.ADMIN)
    mine = [admin.submit(study, mode="qc_only") for _ in range(3)]
    positions = [admin.job(each)["positionInQueue"] for each in mine]
    assert positions == sorted(positions)
    assert positions[0] >= 1  # the one slot of the node is held, and somebody waits
    for each in mine:
        assert admin.get(f"/api/v2/jobs/{each}/cancel").json()["state"] == State.CANCELED
    for each in taken:
        client.get(f"/api/v2/jobs/{each}/cancel")


def test_in_maintenance_users_wait_while_jobs_and_administrators_go_on(node, client, study):
    admin = newcomer(node, "root-in-maintenance", role=User.Role.ADMIN)
    node.hold.write_text("qc")
    theirs = client.submit(study, mode="qc_only")
    client.wait(theirs, is_held)
    commit(lambda: set_maintenance(on=True))
    try:
        refused = client.get(f"/api/v2/jobs/{theirs}/status")
        assert refused.status_code == 503
        assert refused.json()["success"] is False
        assert requests.get(client.url + "/api/v2/server", timeout=60).json()["maintenace"] is True
        node.hold.unlink()
        assert admin.wait(theirs, has_ended)[-1]["state"] == State.SUCCESS
        assert failed_at_once(admin)["state"] == State.FAILED
    finally:
        commit(lambda: set_maintenance(on=False))
    assert client.job(theirs)["state"] == State.SUCCESS


def test_a_token_that_expires_or_is_replaced_stops_the_client_and_not_the_job(node, client, study):
    made: dict[str, str] = {}

    def issue(life: timedelta) -> None:
        user = User.objects.get(username="amina-expires")
        made["token"] = create_api_token(user=user, life=life, now=timezone.now())

    newcomer(node, "amina-expires")
    commit(lambda: issue(timedelta(days=30)))
    first = Client(client.url, made["token"])
    node.hold.write_text("qc")
    job_id = first.submit(study, mode="qc_only")
    first.wait(job_id, is_held)

    commit(lambda: issue(timedelta(seconds=2)))  # one token a user: the first is worth nothing now
    assert first.get(f"/api/v2/jobs/{job_id}/status").status_code == 401
    short = Client(client.url, made["token"])
    statuses = [short.get(f"/api/v2/jobs/{job_id}/status").status_code]
    deadline = time.monotonic() + 30
    while statuses[-1] != 401 and time.monotonic() < deadline:
        time.sleep(0.2)
        statuses.append(short.get(f"/api/v2/jobs/{job_id}/status").status_code)
    assert statuses[-1] == 401
    assert set(statuses) <= {200, 401}
    node.hold.unlink()
    commit(lambda: issue(timedelta(days=30)))
    again = Client(client.url, made["token"])
    assert again.wait(job_id, has_ended)[-1]["state"] == State.SUCCESS


def test_no_token_is_401_and_the_wrong_kind_or_person_403(node, client):
    job_id = failed_at_once(client)["id"]
    url = f"{client.url}/api/v2/jobs/{job_id}"
    stranger = newcomer(node, "stranger-at-the-wire")
    denied = {"message": "Access denied.", "success": False}
    for answer, expected in (
        (requests.get(url, timeout=60), (401, {"message": "Unauthorized", "success": False})),
        (stranger.get(f"/api/v2/jobs/{job_id}"), (403, denied)),
        (requests.delete(url, headers={"X-Auth-Token": client.token}, timeout=60), (403, denied)),
    ):
        assert (answer.status_code, answer.json()) == expected
    session = issue_session_token(node.account.user, now=timezone.now())
    gone = requests.delete(url, headers={"X-Auth-Token": session}, timeout=60)
    assert (gone.status_code, gone.json()["state"]) == (200, State.DELETED)
    assert not (node.server.data / "jobs" / job_id).exists()


def test_a_text_is_escaped_for_html_and_a_checkbox_is_true_by_being_there(client):
    job = failed_at_once(client, **{"job-name": "Zoë & <Co>", "meta": "false"})
    assert job["name"] == "Zo&euml; &amp; &lt;Co&gt;"
    assert html.unescape(job["name"]) == "Zoë & <Co>"
    assert Job.objects.get(pk=job["id"]).parameters["meta"] is True


def test_an_upload_that_finds_no_room_is_told_and_leaves_nothing(node, client):
    server = psutil.Process(node.server.pid)
    limits = server.rlimit(psutil.RLIMIT_FSIZE)
    before = jobs_on_disk(node)
    server.rlimit(psutil.RLIMIT_FSIZE, (4 << 20, limits[1]))
    try:
        answer = client.post(bytes(16 << 20))
    finally:
        server.rlimit(psutil.RLIMIT_FSIZE, limits)
    assert answer.status_code == 503  # which clients of the API know as "not now"
    assert answer.json()["success"] is False
    assert "disk" in answer.json()["message"]
    assert list((node.server.data / "uploads").iterdir()) == []
    assert jobs_on_disk(node) == before
    assert failed_at_once(client)["state"] == State.FAILED  # it takes submissions again


def test_redirecting_downloads_lead_to_a_signed_link_that_takes_no_token(node, client, imputed):
    file = files_of(imputed)["qc_report.txt"]
    url = f"{client.url}/share/results/{file['hash']}/{file['name']}"
    plain = requests.get(url, timeout=60).content
    node.server.stop()
    node.restart(NODE_REDIRECT_DOWNLOADS="on")
    try:
        answer = requests.get(url, timeout=60, allow_redirects=False)
        assert answer.status_code == 302
        signed = answer.headers["Location"]
        assert file["hash"] not in signed
        assert requests.get(signed, timeout=60).content == plain
        assert requests.get(url, timeout=60).content == plain
        # A client that lets its token follow the redirect has given it to the store of the files.
        leaking = requests.get(url, headers={"X-Auth-Token": client.token}, timeout=60)
        assert leaking.status_code == 403
        assert client.token not in leaking.text
        assert json.loads(leaking.text)["success"] is False
        assert files_of(client.job(imputed["id"]))["qc_report.txt"]["count"] == 10 - 4
    finally:
        node.server.stop()
        node.restart()
