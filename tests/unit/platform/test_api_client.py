"""The demonstration's client, against a small server that speaks the platform's API."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from federated_imputation.platform.api_client import (
    ApiRefused,
    DownloadDiffers,
    JobFile,
    OfferedPanel,
    PlatformApi,
)
from tests.unit.platform.fake_platform import CONTENT, FakePlatform, serve

CUT = 1 << 18  # the client keeps whole blocks of this size
NODE = "http://127.0.0.1:8030"


@pytest.fixture
def platform() -> Iterator[type[FakePlatform]]:
    with serve() as running:
        yield running


@pytest.fixture
def api(platform: type[FakePlatform]) -> PlatformApi:
    return PlatformApi(platform.url)


def stored(**changes: Any) -> JobFile:
    digest = sha256(CONTENT).hexdigest()
    fields = {"id": 7, "name": "chr_20.zip", "size": len(CONTENT), "sha256": digest, **changes}
    return JobFile(**fields)


def test_download_writes_the_file_and_returns_its_digest(api: PlatformApi, tmp_path: Path) -> None:
    digest = api.download("j", stored(), tmp_path / "out")

    assert (tmp_path / "out").read_bytes() == CONTENT
    assert digest == sha256(CONTENT).hexdigest()


def test_download_goes_on_where_the_connection_broke(
    api: PlatformApi, platform: type[FakePlatform], tmp_path: Path
) -> None:
    platform.cut_after = CUT

    api.download("j", stored(), tmp_path / "out")

    assert (tmp_path / "out").read_bytes() == CONTENT
    assert platform.ranges == [None, f"bytes={CUT}-"]


def test_download_refuses_a_server_that_starts_again_from_the_beginning(
    api: PlatformApi, platform: type[FakePlatform], tmp_path: Path
) -> None:
    platform.cut_after = CUT
    platform.ignores_ranges = True

    with pytest.raises(DownloadDiffers, match=f"could not be continued at byte {CUT}"):
        api.download("j", stored(), tmp_path / "out")


def test_download_refuses_other_bytes_than_those_stored(api: PlatformApi, tmp_path: Path) -> None:
    with pytest.raises(DownloadDiffers, match=r"chr_20\.zip arrived"):
        api.download("j", stored(sha256="0" * 64), tmp_path / "out")


def test_find_panel_looks_on_every_page_for_the_service_and_its_key(
    api: PlatformApi, platform: type[FakePlatform]
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
    api: PlatformApi, platform: type[FakePlatform], tmp_path: Path
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


def test_job_gives_its_events_in_order(api: PlatformApi, platform: type[FakePlatform]) -> None:
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
    api: PlatformApi, platform: type[FakePlatform], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    platform.answers["/api/jobs/0c8e/reveal_password/"] = {"password": "p"}

    assert api.reveal_password("0c8e") == "p"
