"""The judge itself: it sees what differs, goes on, and does not write where nobody asked it to."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.contract.__main__ import main
from tests.contract.matching import (
    ABSENT,
    ANY,
    TIME,
    UUID,
    Each,
    Has,
    Maybe,
    Not,
    OneOf,
    Text,
    differences,
    page,
)
from tests.contract.recording import scrubbed
from tests.servers import free_port

_TIME = "2026-03-01T12:00:00Z"
_ID = "5f0e8a52-6c0b-4a6e-9d55-0f6f1d1f7a10"


@pytest.fixture
def stranger() -> Iterator[str]:
    """A server that answers everything in its own way."""

    class Strange(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"status": "splendid"}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the name that http.server looks for

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Strange) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            serving.join()


@pytest.fixture(autouse=True)
def administrator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTRACT_USERNAME", "admin")
    monkeypatch.setenv("CONTRACT_PASSWORD", "the password")


def test_another_server_is_judged_to_the_end(stranger: str, capsys: pytest.CaptureFixture[str]):
    status = main(["--url", stranger, "--only", "dashboard/"])
    told = capsys.readouterr().out
    assert status == 1
    assert "GET dashboard/health/: " not in told.splitlines()[0]
    assert "status is 'splendid', not 'healthy'" in told
    assert "timestamp is missing" in told
    assert "could not be tried" in told  # the users of the rows cannot be made there
    assert "the password" not in told


def test_programs_get_the_same(stranger: str, capsys: pytest.CaptureFixture[str]):
    assert main(["--url", stranger, "--only", "dashboard/health/", "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)["rows"]
    (row,) = (row for row in rows if row["kind"] == "success")
    assert row["endpoint"] == "GET dashboard/health/"
    assert row["outcome"] == "differs"
    assert row["differences"]


def test_nobody_there_is_no_judgement(capsys: pytest.CaptureFixture[str]):
    assert main(["--url", f"http://127.0.0.1:{free_port()}"]) == 2
    assert capsys.readouterr().err.startswith("Not judged: ")


def test_no_administrator_is_no_judgement(
    stranger: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("CONTRACT_PASSWORD")
    assert main(["--url", stranger]) == 2
    assert "no password of an administrator" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["http://192.0.2.1", "https://imputation.example.org:8443"])
def test_another_machine_is_written_to_only_on_request(
    url: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as refused:
        main(["--url", url])
    assert refused.value.code == 2
    assert "--yes-this-writes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (ANY, None),
        (int, 1),
        (float, 1),
        (TIME, _TIME),
        (TIME, "2026-03-01T12:00:00.123456+02:00"),
        (UUID, _ID),
        (Maybe(str), None),
        (Each(int, least=1), [1, 2]),
        (Has({"id": 1}), [{"id": 2}, {"id": 1}]),
        (Not({"id": 1}), [{"id": 2}]),
        (OneOf(("a", "b")), "b"),
        (Text("^a"), "ab"),
        ({"id": int, "password": ABSENT}, {"id": 1, "more": 2}),
        (page(int), {"count": 0, "next": None, "previous": None, "results": []}),
    ],
)
def test_what_is_as_expected_has_no_differences(expected: Any, actual: Any):
    assert differences(expected, actual) == []


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (int, True),
        (int, "1"),
        (bool, 1),
        (1, True),
        (TIME, "2026-03-01T12:00:00"),
        (TIME, "2026-03-41T12:00:00Z"),
        (TIME, None),
        (UUID, "5F0E"),
        (Maybe(str), 1),
        (Each(int, least=1), []),
        (Each(int, most=1), [1, 2]),
        (Each(int), {"1": 1}),
        (Each(int), [1, "2"]),
        (Has({"id": 1}), [{"id": 2}]),
        (Not({"id": 1}), [{"id": 1}]),
        (OneOf(("a", "b")), "c"),
        (Text("^a"), "ba"),
        ({"id": int}, {}),
        ({"password": ABSENT}, {"password": ""}),
        ([1], [1, 2]),
        (page(int), {"count": 0, "next": None, "results": []}),
        (page(int), {"count": 21, "next": None, "previous": None, "results": list(range(21))}),
    ],
)
def test_what_is_otherwise_has_one_difference(expected: Any, actual: Any):
    assert len(differences(expected, actual)) == 1


def test_a_recording_holds_nothing_of_its_run():
    answer = {
        "id": 41,
        "count": 7,
        "username": "contract-0a1b2c3d-00012",
        "created_at": "2026-11-22T16:00:00.1234Z",
        "job": _ID.replace("5", "6"),
        "download_url": "/api/result-files/41/download/",
        "access_token": "eyJ",
        "results": [1, 2, 3],
    }
    assert scrubbed(answer) == {
        "id": 1,
        "count": 1,
        "username": "example",
        "created_at": "2026-01-01T00:00:00Z",
        "job": _ID,
        "download_url": "/api/result-files/1/download/",
        "access_token": "…",
        "results": [1, 2],
    }
