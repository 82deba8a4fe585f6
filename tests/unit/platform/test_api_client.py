"""The demonstration's client, against a small server that speaks the platform's API."""

import json
import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from federated_imputation.platform.api_client import (
    ApiRefused,
    DownloadDiffers,
    JobFile,
    OfferedPanel,
    PlatformApi,
)

CONTENT = bytes(range(256)) * 2_000
CUT = 1 << 18  # the client keeps whole blocks of this size
NODE = "http://127.0.0.1:8030"


class Platform(BaseHTTPRequestHandler):
    """Answers from `answers`; a download is cut after `cut_after` bytes, once."""

    answers: ClassVar[dict[str, Any]] = {}
    cut_after: ClassVar[int | None] = None
    ignores_ranges: ClassVar[bool] = False
    ranges: ClassVar[list[str | None]] = []
    received: ClassVar[bytes] = b""

    def do_GET(self) -> None:
        if self.path.endswith("/download/"):
            self._download()
        else:
            self._answer(self.answers.get(self.path))

    def do_POST(self) -> None:
        type(self).received = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(self.answers.get(self.path))

    def _answer(self, content: Any) -> None:
        body = json.dumps(content if content is not None else {"detail": "Not found."}).encode()
        self.send_response(200 if content is not None else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _download(self) -> None:
        asked = self.headers.get("Range")
        self.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if self.ignores_ranges:
            asked, start = None, 0
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        stop = len(CONTENT) if type(self).cut_after is None else start + (self.cut_after or 0)
        type(self).cut_after = None
        self.wfile.write(CONTENT[start:stop])
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Keep the test's output clean."""


@pytest.fixture
def platform() -> Iterator[type[Platform]]:
    class Fresh(Platform):
        answers: ClassVar[dict[str, Any]] = {}
        ranges: ClassVar[list[str | None]] = []

    server = ThreadingHTTPServer(("127.0.0.1", 0), Fresh)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    Fresh.answers["url"] = f"http://127.0.0.1:{server.server_port}"
    yield Fresh
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def api(platform: type[Platform]) -> PlatformApi:
    return PlatformApi(platform.answers["url"])


def stored(**changes: Any) -> JobFile:
    digest = sha256(CONTENT).hexdigest()
    fields = {"id": 7, "name": "chr_20.zip", "size": len(CONTENT), "sha256": digest, **changes}
    return JobFile(**fields)


def test_download_writes_the_file_and_returns_its_digest(api: PlatformApi, tmp_path: Path) -> None:
    digest = api.download("j", stored(), tmp_path / "out")

    assert (tmp_path / "out").read_bytes() == CONTENT
    assert digest == sha256(CONTENT).hexdigest()


def test_download_goes_on_where_the_connection_broke(
    api: PlatformApi, platform: type[Platform], tmp_path: Path
) -> None:
    platform.cut_after = CUT

    api.download("j", stored(), tmp_path / "out")

    assert (tmp_path / "out").read_bytes() == CONTENT
    assert platform.ranges == [None, f"bytes={CUT}-"]


def test_download_refuses_a_server_that_starts_again_from_the_beginning(
    api: PlatformApi, platform: type[Platform], tmp_path: Path
) -> None:
    platform.cut_after = CUT
    platform.ignores_ranges = True

    with pytest.raises(DownloadDiffers, match=f"could not be continued at byte {CUT}"):
        api.download("j", stored(), tmp_path / "out")


def test_download_refuses_other_bytes_than_those_stored(api: PlatformApi, tmp_path: Path) -> None:
    with pytest.raises(DownloadDiffers, match=r"chr_20\.zip arrived"):
        api.download("j", stored(sha256="0" * 64), tmp_path / "out")


def test_find_panel_looks_on_every_page_for_the_service_and_its_key(
    api: PlatformApi, platform: type[Platform]
) -> None:
    other = {"id": 1, "api_url": "https://elsewhere.example/"}
    ours = {"id": 2, "api_url": f"{NODE}/"}
    panel = {"id": 5, "panel_id": "apps@kit@1.0.0", "name": "Kit"}
    platform.answers |= {
        "/api/services/?page=1": {"results": [other], "next": "…"},
        "/api/services/?page=2": {"results": [ours], "next": None},
        "/api/reference-panels/?service=2&page=1": {"results": [panel], "next": None},
    }

    assert api.find_panel(service_url=NODE, key="apps@kit@1.0.0") == OfferedPanel(
        id=5, service_id=2, name="Kit"
    )
    assert api.find_panel(service_url=NODE, key="apps@other@1.0.0") is None


def test_submit_sends_the_file_and_returns_the_new_id(
    api: PlatformApi, platform: type[Platform], tmp_path: Path
) -> None:
    platform.answers["/api/jobs/"] = {"id": "0c8e"}
    study = tmp_path / "study.vcf.gz"
    study.write_bytes(CONTENT)

    job_id = api.submit(
        name="n",
        panel=OfferedPanel(id=5, service_id=2, name="Kit"),
        build="hg19",
        population="eur",
        phasing=False,
        input_file=study,
    )

    assert job_id == "0c8e"
    assert CONTENT in platform.received
    assert b'name="phasing"\r\n\r\nfalse' in platform.received
    assert b'filename="study.vcf.gz"' in platform.received


def test_job_gives_its_events_in_order(api: PlatformApi, platform: type[Platform]) -> None:
    updates = [
        {"id": 2, "status": "running", "message": "\nStep: <first>\nmore", "external_data": None},
        {"id": 1, "status": "pending", "message": "Created.", "external_data": {"attempt": 1}},
    ]
    platform.answers["/api/jobs/0c8e/"] = {
        "id": "0c8e",
        "status": "running",
        "progress_percentage": 40,
        "external_job_id": "job-1",
        "error_message": "",
        "status_updates": updates,
    }

    job = api.job("0c8e")

    assert [event.message for event in job.events] == ["Created.", "\nStep: <first>\nmore"]
    assert job.events[0].facts == {"attempt": 1}
    assert job.message == "Step: <first>"
    assert not job.is_over


def test_call_raises_with_the_words_of_a_refusal(api: PlatformApi) -> None:
    with pytest.raises(ApiRefused, match=r"GET /api/jobs/none/: 404 .*Not found\."):
        api.job("none")


def test_calls_ignore_the_proxies_of_the_shell(
    api: PlatformApi, platform: type[Platform], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    platform.answers["/api/jobs/0c8e/reveal_password/"] = {"password": "p"}

    assert api.reveal_password("0c8e") == "p"
