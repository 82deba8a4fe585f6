"""Following the demonstration's jobs, and opening what they brought."""

import gzip
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import pyzipper

from apps.node.kit_panels import KIT
from federated_imputation.platform.api_client import OfferedPanel, PlatformApi
from federated_imputation.platform.demo_jobs import JobsFailed, SentJob, follow, submit
from federated_imputation.platform.demo_results import Unreadable, collect, open_member, sweep
from federated_imputation.platform.progress import JobProgress
from federated_imputation.platform.studies import Study, prepare
from tests.unit.platform.fake_platform import Answers, FakePlatform, serve

PASSWORD = "Secret-1"


class Shown:
    """A display that remembers."""

    def __init__(self) -> None:
        self.percents: list[list[int]] = []

    def show(self, jobs: Sequence[JobProgress]) -> None:
        self.percents.append([job.percent for job in jobs])


@pytest.fixture
def platform() -> Iterator[type[FakePlatform]]:
    with serve() as running:
        yield running


@pytest.fixture
def api(platform: type[FakePlatform]) -> PlatformApi:
    return PlatformApi(platform.url)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return prepare("kit", tmp_path, say=print)


def told(status: str, percent: int = 0, *messages: str, reason: str = "") -> dict[str, Any]:
    """A job as the API tells it; the first message is that of the accepted submission."""
    facts = [{"attempt": 1, "external_id": "job-7"}, *({} for _ in messages)]
    return {
        "id": "0c8e",
        "status": status,
        "progress_percentage": percent,
        "external_job_id": "job-7",
        "error_message": reason,
        "status_updates": [
            {"id": at, "status": status, "message": message, "external_data": fact}
            for at, (message, fact) in enumerate(zip(("Accepted.", *messages), facts, strict=True))
        ],
    }


def send(api: PlatformApi, platform: type[FakePlatform], study: Study, *answers: Any) -> SentJob:
    platform.answers["/api/jobs/"] = {"id": "0c8e"}
    platform.answers["/api/jobs/0c8e/"] = Answers([told("pending"), *answers])
    return submit(api, study, study.panels[0], OfferedPanel(id=1, service_id=1, name="Kit"))


def test_follow_shows_the_job_until_it_is_over(
    api: PlatformApi, platform: type[FakePlatform], study: Study
) -> None:
    job = send(api, platform, study, told("running", 40), told("completed", 100))
    display, waited = Shown(), list[float]()

    follow(api, [job], display, wait=waited.append)

    assert display.percents == [[40], [100]]
    assert len(waited) == 1
    assert job.seconds is not None


def test_follow_raises_with_the_reason_and_the_events_when_a_job_fails(
    api: PlatformApi, platform: type[FakePlatform], study: Study
) -> None:
    bad = told("failed", 25, "Input Validation: 1 valid VCF file(s) found.", reason="Too few.")
    job = send(api, platform, study, bad)

    with pytest.raises(JobsFailed) as raised:
        follow(api, [job], Shown(), wait=lambda _: None)

    lines = str(raised.value).splitlines()
    assert lines[0] == "Kit AFR (SIMULATED) failed: Too few."
    assert lines[-1].strip() == "failed: Input Validation: 1 valid VCF file(s) found."


def archive(path: Path) -> Path:
    with pyzipper.AESZipFile(path, "w", encryption=pyzipper.WZ_AES) as opened:
        opened.setpassword(PASSWORD.encode())
        # The truth as its own result: it agrees perfectly.
        opened.writestr("chr20.dose.vcf.gz", (KIT / "truth.vcf.gz").read_bytes())
    return path


def test_collect_compares_the_downloaded_result_with_the_truth(
    api: PlatformApi, platform: type[FakePlatform], study: Study, tmp_path: Path
) -> None:
    job = send(api, platform, study, told("completed", 100))
    follow(api, [job], Shown())
    platform.content = archive(tmp_path / "made.zip").read_bytes()
    digest = sha256(platform.content).hexdigest()
    size = len(platform.content)
    platform.answers |= {
        "/api/jobs/0c8e/files/": [
            {"id": 3, "filename": "chr_20.zip", "file_size": size, "checksum": digest}
        ],
        "/api/jobs/0c8e/reveal_password/": {"password": PASSWORD},
    }

    result = collect(api, study, job, tmp_path / "results")

    assert result.accuracy.total.r2 == pytest.approx(1)
    assert result.submissions == 1
    assert result.service_job_id == "job-7"
    assert [(file.name, file.size, file.sha256) for file in result.files] == [
        ("chr_20.zip", size, digest)
    ]


@pytest.mark.parametrize(
    ("member", "password"), [("chr20.dose.vcf.gz", "wrong"), ("chr21.dose.vcf.gz", PASSWORD)]
)
def test_open_member_says_which_archive_cannot_be_opened(
    tmp_path: Path, member: str, password: str
) -> None:
    with pytest.raises(Unreadable, match=r"made\.zip could not be opened"):
        open_member(archive(tmp_path / "made.zip"), member=member, password=password, into=tmp_path)


def test_open_member_writes_what_was_packed(tmp_path: Path) -> None:
    made = archive(tmp_path / "made.zip")

    path = open_member(made, member="chr20.dose.vcf.gz", password=PASSWORD, into=tmp_path)

    assert gzip.decompress(path.read_bytes()).startswith(b"##fileformat")


def test_sweep_removes_only_old_downloads(tmp_path: Path) -> None:
    (tmp_path / "some" / "job").mkdir(parents=True)
    written = (tmp_path / "some").stat().st_mtime

    sweep(tmp_path, now=written + 6 * 24 * 3600)
    assert (tmp_path / "some").is_dir()
    sweep(tmp_path, now=written + 8 * 24 * 3600)
    assert not (tmp_path / "some").exists()
