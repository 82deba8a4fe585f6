"""Bytes that lay at legacy paths before there was a store."""

import io
import json
from hashlib import sha256
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from federated_imputation.monolith.files import objects, queries
from federated_imputation.monolith.files import operations as files
from federated_imputation.monolith.files.models import ResultFile, StoredFile
from tests.factories import make_job
from tests.kills import DISK_CHANGES, dies_at
from tests.legacy_database import values_of
from tests.unit.monolith.files.bytes_on_disk import (
    CONTENT,
    DIGEST,
    LEGACY,
    on_disk,
    put_at,
)

pytestmark = pytest.mark.django_db(transaction=True)


def backfill(*arguments: str) -> tuple[dict[str, Any], str]:
    out, complaint = io.StringIO(), ""
    try:
        call_command("backfill", *arguments, "bytes-of-files", "--json", stdout=out)
    except CommandError as error:
        complaint = str(error)
    return json.loads(out.getvalue())["backfills"][0], complaint


@pytest.fixture
def legacy(root, ada, eve, panel):
    """Jobs of the legacy system: two with the same input, one of them with results."""
    mine = make_job(ada, panel, input_file=LEGACY, input_file_size=len(CONTENT))
    make_job(eve, panel, input_file="uploads/input/again.vcf.gz")
    make_job(eve, panel, input_file="uploads/input/gone.vcf.gz")
    for name, checksum in (("a.zip", sha256(b"a").hexdigest()), ("b.zip", "0" * 64)):
        path = f"results/{name}"
        ResultFile.objects.create(job=mine, filename=name, file_path=path, checksum=checksum)
        put_at(root, path, name[:1].encode())
    put_at(root, LEGACY)
    put_at(root, "uploads/input/again.vcf.gz")
    return mine


def test_legacy_bytes_are_adopted_where_they_lie(root, legacy):
    before, paths = values_of("default"), on_disk(root)

    progress, complaint = backfill("run")

    assert (progress["state"], progress["written"], complaint) == ("finished", 4, "")
    assert values_of("default") == before
    contents = {path: (root / path).read_bytes() for path in paths}
    assert contents == {
        LEGACY: CONTENT,
        "uploads/input/again.vcf.gz": CONTENT,
        "results/a.zip": b"a",
        "results/b.zip": b"b",
    }
    made = {objects.path_of(sha256(each).hexdigest()) for each in contents.values()}
    assert set(on_disk(root)) == made | set(paths)
    assert len({(root / path).stat().st_ino for path in on_disk(root)}) == 3
    stored = StoredFile.objects.get(source=f"input:{legacy.pk}")
    assert (stored.content, stored.sha256) == (DIGEST, DIGEST)
    assert queries.bytes_of_input(job_id=legacy.pk) == objects.find(DIGEST)
    assert StoredFile.objects.get(path="uploads/input/gone.vcf.gz").content == ""


def test_check_tells_which_bytes_are_not_what_their_checksum_says(root, legacy):
    wrong = ResultFile.objects.get(filename="b.zip")

    assert backfill("check")[0]["differences"] == 4
    backfill("run")

    report, complaint = backfill("check")
    assert report["first"] == [f"result:{wrong.pk} is unequal"]
    assert "their checksum" in complaint
    assert backfill("run")[0]["state"] == "finished"  # it is for a person to look at


def test_adoption_goes_on_after_it_was_killed(root, legacy):
    before, point = values_of("default"), 0
    while dies_at(point, lambda: backfill("run", "--batch", "2"), beside_statements=DISK_CHANGES):
        point += 11
        backfill("run")
        found = queries.bytes_of_input(job_id=legacy.pk)
        assert found is not None
        assert found == objects.find(DIGEST)
        assert found.read_bytes() == (root / LEGACY).read_bytes() == CONTENT
        assert backfill("check")[0]["differences"] == 1
        StoredFile.objects.update(content="")
        files.sweep_objects()
    assert point > 40
    assert values_of("default") == before
