"""Bytes in the store: one object a content, there with its rows, gone with the last of them."""

import errno
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone

from federated_imputation.monolith.files import objects, queries, storage
from federated_imputation.monolith.files import operations as files
from federated_imputation.monolith.files.models import GenotypeFile, ResultFile, StoredFile
from federated_imputation.monolith.files.operations import genotypes
from federated_imputation.monolith.jobs.models import ImputationJob
from tests.factories import NOW, make_job, make_user
from tests.genotype_files import study
from tests.job_world import ORIGIN
from tests.unit.monolith.accounts.people import client_of
from tests.unit.monolith.files.bytes_on_disk import (
    CONTENT,
    DIGEST,
    LEGACY,
    fetch,
    keep,
    on_disk,
    put_at,
)

pytestmark = pytest.mark.django_db(transaction=True)


# What comes is stored once, and found by every name.


def test_equal_contents_are_stored_once_whatever_they_are(root, ada, eve, panel):
    mine, theirs = keep(ada), keep(eve, "other.vcf.gz")
    with transaction.atomic():
        upload = files.link_input(user_id=ada.pk, file_id=str(mine.pk))
        job = make_job(ada, panel, input_file=upload.path, input_file_size=upload.size)
        files.name_bytes(source=f"input:{job.pk}", path=upload.path, sha256=upload.sha256)
    result = fetch(job)

    paths = [mine.path, theirs.path, str(job.input_file), result.file_path]
    assert len(set(paths)) == 4
    assert on_disk(root) == sorted([*paths, objects.path_of(DIGEST)])
    assert len({(root / path).stat().st_ino for path in on_disk(root)}) == 1
    assert set(StoredFile.objects.values_list("content", "sha256")) == {(DIGEST, DIGEST)}


def test_legacy_path_opens_and_nobody_writes_to_what_others_share(root, ada):
    file = keep(ada)

    assert (root / file.path).read_bytes() == CONTENT
    assert (root / file.path).stat().st_mode & 0o222 == 0


def test_bytes_are_read_from_the_store(root, ada, panel):
    job = make_job(ada, panel)
    file, result = keep(ada), fetch(job, content=b"result")
    for path in (file.path, result.file_path):
        (root / path).unlink()

    client = client_of(ada)
    mine = client.get(f"/api/files/{file.pk}/download/")
    brought = client.get(f"/api/result-files/{result.pk}/download/")

    assert (mine.status_code, brought.status_code) == (200, 200)
    assert queries.locate_genotypes(file).read_bytes() == CONTENT
    assert queries.locate(result).read_bytes() == b"result"


@pytest.mark.parametrize("is_copied", [True, False], ids=["copied", "before the copies"])
def test_bytes_that_are_in_no_store_yet_are_read_at_their_path(root, ada, panel, is_copied):
    job = make_job(ada, panel, input_file=LEGACY)
    put_at(root, LEGACY)
    result = ResultFile.objects.create(job=job, filename="a", file_path="results/a.zip")
    put_at(root, "results/a.zip")
    if not is_copied:
        StoredFile.objects.all().delete()

    assert queries.bytes_of_input(job_id=job.pk) == root / LEGACY
    assert queries.locate(result) == root / "results/a.zip"


def test_row_of_another_file_forgets_the_content_of_the_one_before(root, ada, panel):
    result = fetch(make_job(ada, panel))
    put_at(root, "results/other.zip", b"other")

    ResultFile.objects.update(is_available=True)  # of the same file
    assert StoredFile.objects.get().content == DIGEST
    ResultFile.objects.update(file_path="results/other.zip", checksum="")  # by a legacy process

    result.refresh_from_db()
    assert StoredFile.objects.get().content == ""
    assert queries.locate(result).read_bytes() == b"other"


def test_damaged_object_is_replaced_by_the_next_upload(root, ada, eve):
    keep(ada)
    found = objects.find(DIGEST)
    assert found is not None
    found.unlink()
    found.write_bytes(b"half")

    file = keep(eve)

    assert found.read_bytes() == CONTENT
    assert queries.locate_genotypes(file) == found


def test_bytes_that_can_have_no_second_name_are_copied(root):
    def refused(source: Path, second: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    paths = [storage.store_upload([CONTENT], name="a.vcf.gz").path for _ in range(2)]
    for path in paths:
        objects.put(root / path, sha256=DIGEST, link=refused)

    assert on_disk(root) == sorted([*paths, objects.path_of(DIGEST)])
    assert all((root / path).read_bytes() == CONTENT for path in on_disk(root))


# What nobody names goes, and nothing else.


def test_bytes_stay_until_the_last_of_those_who_share_them_goes(root, ada, eve):
    mine, theirs = keep(ada), keep(eve)

    assert client_of(ada).delete(f"/api/files/{mine.pk}/").status_code == 204
    assert on_disk(root) == sorted([theirs.path, objects.path_of(DIGEST)])
    assert client_of(eve).delete(f"/api/files/{theirs.pk}/").status_code == 204
    assert on_disk(root) == []


def test_object_that_no_row_came_to_name_is_swept(root, ada):
    file = keep(ada)
    orphan = storage.store_upload([b"orphan"], name="a.vcf", folder=storage.GENOTYPES)
    with transaction.atomic():
        files.name_bytes(source="genotype:none", path=orphan.path, sha256=orphan.sha256)
        transaction.set_rollback(True)  # as when the process dies before its commit
    assert objects.find(orphan.sha256)

    assert files.sweep_objects() == 1
    assert genotypes.sweep_genotypes(now=timezone.now() + timedelta(days=2)) == 1
    assert on_disk(root) == sorted([file.path, objects.path_of(DIGEST)])


def test_job_that_finds_no_room_for_its_object_leaves_nothing(root, ada, panel):
    (root / "objects").write_bytes(b"no folder can be made")
    form = {"name": "Study", "service": panel.service_id, "reference_panel": panel.pk}

    with pytest.raises(NotADirectoryError):
        client_of(ada).post("/api/jobs/", form | {"input_file": study(), "user_token": "t" * 20})

    assert on_disk(root) == ["objects"]
    assert not ImputationJob.objects.exists()


def test_object_that_is_about_to_be_named_is_not_swept(root, ada, elsewhere):
    gone = keep(ada)
    is_named, may_commit = threading.Event(), threading.Event()
    upload = storage.store_upload([CONTENT], name="b.vcf.gz", folder=storage.GENOTYPES)

    def write():
        with transaction.atomic():
            file = GenotypeFile.objects.create(
                user_id=ada.pk,
                name="b.vcf.gz",
                path=upload.path,
                size=upload.size,
                sha256=upload.sha256,
                format="vcf.gz",
            )
            files.name_bytes(source=f"genotype:{file.pk}", path=upload.path, sha256=upload.sha256)
            is_named.set()
            assert may_commit.wait(60)

    written = elsewhere(write)
    try:
        assert is_named.wait(60)
        assert client_of(ada).delete(f"/api/files/{gone.pk}/").status_code == 204
        assert files.sweep_objects() == 0
    finally:
        may_commit.set()
    written()

    assert queries.locate_genotypes(GenotypeFile.objects.get()) == objects.find(DIGEST)
    assert files.sweep_objects() == 0


@pytest.mark.timeout(300)
def test_no_row_is_ever_without_its_object_among_those_who_come_and_go(root, elsewhere):
    people, rounds = [make_user(name, role="researcher") for name in ("ada", "eve", "bob")], 12
    start, is_over = threading.Barrier(len(people) + 1), threading.Event()

    def come_and_go(user):
        start.wait(60)
        for _ in range(rounds):
            file = keep(user)
            assert queries.locate_genotypes(file) == objects.find(DIGEST)
            assert (root / file.path).read_bytes() == CONTENT
            genotypes.delete_genotype_file(file.pk, user_id=user.pk, origin=ORIGIN, now=NOW)

    def sweep():
        while not is_over.wait(0.001):
            files.sweep_objects()

    joins = [elsewhere(lambda user=user: come_and_go(user)) for user in people]
    swept = elsewhere(sweep)
    start.wait(60)
    try:
        for join in joins:
            join()
    finally:
        is_over.set()
    swept()
    files.sweep_objects()
    assert on_disk(root) == []
