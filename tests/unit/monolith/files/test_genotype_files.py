"""Genotype files over the API: stored once, looked at, listed, fetched, deleted."""

from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import AsyncClient, Client
from django.utils import timezone

from federated_imputation.monolith.accounts.models import UserProfile
from federated_imputation.monolith.files.models import GenotypeFile
from federated_imputation.monolith.files.operations.genotypes import (
    delete_genotype_file,
    sweep_genotypes,
)
from federated_imputation.monolith.files.operations.runs import start_run
from tests.factories import make_user
from tests.genotype_files import study, vcf
from tests.job_world import ORIGIN

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def client():
    client = Client()
    client.force_login(make_user())
    return client


def store(client: Client, *files: SimpleUploadedFile):
    return client.post("/api/files/", {"file": list(files)})


def stored_bytes(root: Path) -> list[bytes]:
    return [path.read_bytes() for path in root.rglob("genotypes/*") if path.is_file()]


def test_upload_is_stored_and_told(client, root):
    answer = store(client, study())

    assert answer.status_code == 201, answer.content
    shown = answer.json()
    assert (shown["name"], shown["format"]) == ("study.vcf.gz", "vcf.gz")
    assert client.get("/api/files/").json()["results"] == [shown]
    assert client.get(f"/api/files/{shown['id']}/").json() == shown
    assert len(stored_bytes(root)) == 1


def test_same_upload_is_stored_once(client, root):
    first = store(client, study())

    again = store(client, study())

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert len(stored_bytes(root)) == 1
    assert GenotypeFile.objects.count() == 1


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../etc/study.vcf.gz", "study.vcf.gz"),
        ("C:\\data\\study.vcf.gz", "study.vcf.gz"),
        ("Étude nº 1 <b>.vcf.gz", "Étude nº 1 <b>.vcf.gz"),
        ("-rf.vcf.gz", "-rf.vcf.gz"),
        ("--do=sort.vcf.gz", "--do=sort.vcf.gz"),
        ("study", "study"),
    ],
)
def test_name_is_shown_and_leads_nowhere(client, root, sent, shown):
    answer = store(client, study(sent))

    assert answer.status_code == 201, answer.content
    assert answer.json()["name"] == shown
    path = root / GenotypeFile.objects.get().path
    assert path.parent == root / "genotypes"
    assert path.is_file()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("study.vcf.gz", b"", "empty"),
        ("holiday.jpg", b"\xff\xd8\xff\xe0" + bytes(500), "no VCF"),
        ("notes.vcf", b"Dear diary,\n", "no VCF"),
    ],
)
def test_what_is_no_genotype_file_is_refused_with_a_remedy(client, root, name, content, words):
    answer = store(client, study(name, content))

    assert answer.status_code == 400
    assert words in answer.json()["file"][0]
    assert stored_bytes(root) == []
    assert GenotypeFile.objects.count() == 0


def test_upload_that_can_be_mended_is_stored_with_its_findings(client):
    answer = store(client, study("study.vcf", vcf()))

    assert answer.status_code == 201
    assert [each["rule"] for each in answer.json()["findings"]] == ["uncompressed"]
    assert answer.json()["findings"][0]["repair"] == "bgzip"


def plink_set() -> list[SimpleUploadedFile]:
    """Two samples, two variants."""
    parts = {
        "bed": b"\x6c\x1b\x01\x0b\x0e",
        "bim": b"20\trs1\t0\t1000\tC\tA\n20\trs2\t0\t2000\tG\tT\n",
        "fam": b"S1\tS1\t0\t0\t0\t-9\nS2\tS2\t0\t0\t0\t-9\n",
    }
    return [study(f"cohort.{ending}", content) for ending, content in parts.items()]


def test_plink_set_is_one_file(client, root):
    answer = store(client, *plink_set())

    assert answer.status_code == 201, answer.content
    assert (answer.json()["name"], answer.json()["format"]) == ("cohort.zip", "plink")
    with ZipFile(BytesIO(stored_bytes(root)[0])) as archive:
        assert archive.namelist() == ["cohort.bed", "cohort.bim", "cohort.fam"]
        assert archive.testzip() is None
    assert store(client, *plink_set()).status_code == 200


def test_parts_that_are_no_set_are_refused(client):
    bed, bim, _ = plink_set()

    answer = store(client, bed, bim)

    assert answer.status_code == 400
    assert "a .bed, a .bim and a .fam file" in answer.json()["file"][0]


def test_nobody_stores_more_than_they_may(client, settings, root):
    settings.GENOTYPE_STORAGE_MB = 1
    store(client, study())
    GenotypeFile.objects.update(size=1024 * 1024)

    full = store(client, study("other.vcf", vcf()))
    hopeless = store(client, study("large.vcf", vcf() + b"#" * 1024 * 1024))

    assert (full.status_code, hopeless.status_code) == (409, 413)
    assert "Delete files" in full.json()["error"]
    assert len(stored_bytes(root)) == 1


def test_nobody_fills_the_storage_of_another(client, settings):
    settings.GENOTYPE_STORAGE_MB = 1
    store(client, study())
    GenotypeFile.objects.update(size=1024 * 1024)
    other = Client()
    other.force_login(make_user("grace"))

    assert store(other, study()).status_code == 201


def test_what_finds_no_room_is_refused_before_it_is_read(client, settings, root):
    settings.GENOTYPE_STORAGE_MB = 1

    answer = store(client, study("notes.vcf", b"Dear diary,\n" * 100_000))

    assert answer.status_code == 413
    assert stored_bytes(root) == []


def test_set_needs_the_room_that_its_parts_take_together(client, settings, root):
    settings.GENOTYPE_STORAGE_MB = 1
    store(client, study())
    parts = sum(part.size or 0 for part in plink_set())
    GenotypeFile.objects.update(size=1024 * 1024 - parts)

    assert store(client, *plink_set()).status_code == 409
    assert len(stored_bytes(root)) == 1


def test_nobody_deletes_or_checks_the_file_of_another(client):
    file_id = UUID(store(client, study()).json()["id"])
    grace, now = make_user("grace"), timezone.now()

    with pytest.raises(GenotypeFile.DoesNotExist):
        delete_genotype_file(file_id, user_id=grace.pk, origin=ORIGIN, now=now)
    with pytest.raises(GenotypeFile.DoesNotExist), transaction.atomic():
        start_run(file_id, user_id=grace.pk, kind="check", parameters={}, now=now)

    assert client.get(f"/api/files/{file_id}/runs/").json()["results"] == []


@pytest.mark.parametrize(
    ("platform_mb", "profile_gb", "most_mb"),
    [(5, "1.00", 5), (5_000, "0.25", 256), (5_000, "0.00", 0), (7, None, 7)],
)
def test_the_smaller_of_the_platforms_and_the_profiles_limit_holds(
    client, settings, platform_mb, profile_gb, most_mb
):
    settings.GENOTYPE_STORAGE_MB = 5_000
    store(client, study())
    settings.GENOTYPE_STORAGE_MB = platform_mb
    if profile_gb is not None:
        UserProfile.objects.create(user=User.objects.get(), storage_limit_gb=profile_gb)
    GenotypeFile.objects.update(size=max(1, most_mb * 1024 * 1024))

    refused = store(client, study("other.vcf", vcf()))

    assert refused.status_code == (409 if most_mb else 413)
    assert f"You store {most_mb} MB of the {most_mb} MB that you may" in refused.json()["error"]
    assert "this needs 1 MB" in refused.json()["error"]
    if most_mb:
        GenotypeFile.objects.update(size=most_mb * 1024 * 1024 - 1024)
        assert store(client, study("other.vcf", vcf())).status_code == 201


def test_download_goes_on_where_it_broke(client):
    stored = store(client, study()).json()

    async def whole_and_rest():
        browser = AsyncClient()
        await browser.aforce_login(await User.objects.aget())
        answers = []
        for headers in ({}, {"Range": "bytes=10-"}):
            answer: Any = await browser.get(stored["download_url"], headers=headers)
            body = b"".join([block async for block in answer.streaming_content])
            answers.append((answer.status_code, answer.headers["ETag"], body))
        return answers

    content = study().read()
    etag = f'"{stored["sha256"]}"'
    assert async_to_sync(whole_and_rest)() == [(200, etag, content), (206, etag, content[10:])]


def test_file_of_another_is_not_there(client):
    stored = store(client, study()).json()
    other = Client()
    other.force_login(make_user("bob", role="admin"))

    path = f"/api/files/{stored['id']}/"
    asked = [other.get(f"{path}{end}") for end in ("", "download/", "check/", "runs/")]
    asked += [other.delete(path), other.post(f"{path}check/"), other.post(f"{path}repairs/")]

    assert {answer.status_code for answer in asked} == {404}
    assert other.get("/api/files/").json()["count"] == 0


def test_whoever_may_not_submit_stores_nothing(root):
    viewer = Client()
    viewer.force_login(make_user("vera", role="viewer"))

    answer = store(viewer, study())

    assert answer.status_code == 403
    assert "another role" in answer.json()["detail"]
    assert stored_bytes(root) == []


def test_bytes_that_no_row_names_are_swept_after_a_day(client, root):
    kept = store(client, study()).json()["id"]
    orphan = root / "genotypes" / "orphan"
    orphan.write_bytes(b"x")
    (root / "making" / "run" / "1").mkdir(parents=True)
    left = root / "making" / "run" / "1" / "half"
    left.write_bytes(b"x")

    assert sweep_genotypes(now=timezone.now()) == 0
    assert sweep_genotypes(now=timezone.now() + timedelta(days=2)) == 2
    assert not orphan.exists()
    assert not left.exists()
    assert client.get(f"/api/files/{kept}/download/", headers={"Accept": "*/*"}).status_code == 200
