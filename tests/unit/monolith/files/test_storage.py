import errno
import os
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.shared.uploads import DigestedFile, DigestingUploadHandler
from federated_imputation.monolith.files import storage

JOB_ID = UUID("5a1b7c9e-0000-4000-8000-000000000001")


@pytest.fixture(autouse=True)
def root(settings, tmp_path: Path) -> Path:
    settings.DATA_ROOT = str(tmp_path)
    return tmp_path


def test_upload_is_stored_whole_with_its_digest(root: Path):
    stored = storage.store_upload([b"ab", b"c"], name="study.vcf.gz")

    assert (root / stored.path).read_bytes() == b"abc"
    assert (stored.size, stored.sha256) == (3, sha256(b"abc").hexdigest())
    assert storage.upload_name(stored.path) == "study.vcf.gz"


def _arrived(content: bytes) -> DigestedFile:
    handler = DigestingUploadHandler()
    handler.new_file("input_file", "study.vcf.gz", "application/gzip", None, None, None)
    handler.receive_data_chunk(content, 0)
    file = handler.file_complete(len(content))
    assert isinstance(file, DigestedFile)
    return file


def test_an_upload_on_the_same_disk_is_not_written_again(root: Path, settings):
    settings.FILE_UPLOAD_TEMP_DIR = str(root)
    arrived = _arrived(b"abc")
    inode = Path(arrived.temporary_file_path()).stat().st_ino

    stored = storage.keep_upload(arrived, name="study.vcf.gz")
    arrived.close()

    assert (root / stored.path).stat().st_ino == inode
    assert (root / stored.path).read_bytes() == b"abc"
    assert (stored.size, stored.sha256) == (3, sha256(b"abc").hexdigest())
    assert [path for path in root.rglob("*") if path.is_file()] == [root / stored.path]


def test_an_upload_in_memory_is_written(root: Path):
    stored = storage.keep_upload(SimpleUploadedFile("a.vcf", b"abc"), name="a.vcf")
    assert (root / stored.path).read_bytes() == b"abc"
    assert stored.sha256 == sha256(b"abc").hexdigest()


def test_an_upload_that_finds_no_room_on_its_way_leaves_nothing(root: Path, settings):
    settings.FILE_UPLOAD_TEMP_DIR = str(root)
    handler = DigestingUploadHandler()
    handler.new_file("input_file", "study.vcf.gz", "application/gzip", None, None, None)
    handler.file.file.file.close()  # every write fails from now on
    with Path("/dev/full").open("wb", buffering=0) as full:
        handler.file.file.file = full
        handler.receive_data_chunk(b"abc", 0)  # written beside the next one
        with pytest.raises(OSError, match="No space"):
            handler.file_complete(3)

    assert not [path for path in root.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("name", "kept"),
    [(".vcf.gz", "file.vcf.gz"), ("-.VCF.GZ", "file.vcf.gz"), ("..vcf", "file.vcf")],
)
def test_before_a_known_ending_there_is_always_something(name: str, kept: str):
    assert storage.upload_name(storage.store_upload([b"x"], name=name).path) == kept


def test_two_uploads_of_one_name_are_two_files():
    paths = {storage.store_upload([b"x"], name="a.vcf").path for _ in range(2)}

    assert len(paths) == 2


def test_upload_that_cannot_be_written_leaves_nothing(root: Path):
    def broken():
        yield b"some"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        storage.store_upload(broken(), name="a.vcf")

    assert not [path for path in root.rglob("*") if path.is_file()]


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text())
def test_no_name_leads_out_of_the_folder_or_over_the_limit(name: str):
    path = storage.result_path(job_id=JOB_ID, attempt=1, name=name)

    assert path.startswith(f"results/{JOB_ID}/1/")
    assert path.count("/") == 3
    assert len(path) <= 500
    assert storage.absolute(path)


@pytest.mark.parametrize(("first", "second"), [("a/b.txt", "a_b.txt"), ("x.txt", "y/x.txt")])
def test_two_names_at_the_service_are_two_files(first: str, second: str):
    assert storage.result_path(job_id=JOB_ID, attempt=1, name=first) != storage.result_path(
        job_id=JOB_ID, attempt=1, name=second
    )


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "results/../../x"])
def test_path_of_a_row_that_leads_out_is_refused(path: str):
    with pytest.raises(ValueError, match="out of the data folder"):
        storage.absolute(path)


def test_sweep_takes_what_nobody_knows_after_a_day(root: Path):
    now = datetime(2026, 3, 1, tzinfo=UTC)
    paths = {}
    for name, age in {"known": 5, "orphan": 2, "fresh": 0.5}.items():
        paths[name] = storage.store_upload([b"x"], name=f"{name}.vcf").path
        old = (now - timedelta(days=age)).timestamp()
        os.utime(root / paths[name], (old, old))

    gone = storage.swept(storage.UPLOADS, is_known=lambda path: path == paths["known"], now=now)

    assert gone == [paths["orphan"]]
    assert not (root / paths["orphan"]).exists()
    assert (root / paths["known"]).exists()
    assert (root / paths["fresh"]).exists()


def test_sweep_of_a_folder_that_is_not_there_finds_nothing():
    now = datetime(2026, 3, 1, tzinfo=UTC)

    assert storage.swept(storage.RESULTS, is_known=lambda path: False, now=now) == []
