"""A kill at any statement or change of the disk loses no bytes, and leaves none for good."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from federated_imputation.monolith.files import objects, queries
from federated_imputation.monolith.files import operations as files
from federated_imputation.monolith.files.models import GenotypeFile
from federated_imputation.monolith.files.operations import genotypes
from tests.factories import NOW
from tests.job_world import ORIGIN
from tests.kills import DISK_CHANGES, dies_at
from tests.unit.monolith.files.bytes_on_disk import CONTENT, DIGEST, keep, on_disk

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.timeout(300)
def test_kill_among_writes_and_sweeps_loses_nothing(root, ada, eve):
    _kill_at(root, ada, eve, every=9)


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_kill_at_any_point_of_writes_and_sweeps_loses_nothing(root, ada, eve):
    _kill_at(root, ada, eve, every=1)


def _kill_at(root: Path, ada, eve, *, every: int) -> None:
    point = 0
    while dies_at(point, lambda: _live(ada, eve), beside_statements=DISK_CHANGES):
        _nothing_is_lost(root, point)
        GenotypeFile.objects.all().delete()
        files.sweep_objects()
        genotypes.sweep_genotypes(now=timezone.now() + timedelta(days=2))
        assert on_disk(root) == [], f"killed at {point}"
        point += every
    assert point > 60  # statements and changes of the disk, together


def _live(ada, eve) -> None:
    """Two who share, one of whom goes, and the sweep."""
    mine = keep(ada)
    keep(eve)
    genotypes.delete_genotype_file(mine.pk, user_id=ada.pk, origin=ORIGIN, now=NOW)
    genotypes.sweep_genotypes(now=timezone.now())
    files.sweep_objects()


def _nothing_is_lost(root: Path, point: int) -> None:
    days_later = timezone.now() + timedelta(days=2)
    genotypes.sweep_genotypes(now=days_later)
    files.sweep_objects()
    for file in GenotypeFile.objects.all():
        assert (root / file.path).read_bytes() == CONTENT, f"killed at {point}"
        assert queries.locate_genotypes(file) == objects.find(DIGEST), f"killed at {point}"
    named = list(GenotypeFile.objects.values_list("path", flat=True))
    expected = sorted([*named, objects.path_of(DIGEST)]) if named else []
    assert on_disk(root) == expected, f"killed at {point}"
