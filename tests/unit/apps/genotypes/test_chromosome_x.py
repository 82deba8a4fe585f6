import numpy as np
import pytest

from apps.genotypes.calls import ABSENT, MISSING
from apps.genotypes.chromosome_x import PloidyCheck, PloidyConflict, XRegion, x_region

MAN = (1, ABSENT)
WOMAN = (0, 1)
NOBODY = (MISSING, MISSING)
MIXED = (1, MISSING)
BETWEEN = 50_000_000


@pytest.mark.parametrize(
    ("position", "build", "region"),
    [
        (2_699_519, "hg19", XRegion.PAR1),
        (2_699_520, "hg19", XRegion.NON_PAR),
        (154_931_044, "hg19", XRegion.NON_PAR),
        (154_931_045, "hg19", XRegion.PAR2),
        (2_781_478, "hg38", XRegion.PAR1),
        (155_701_383, "hg38", XRegion.NON_PAR),
        (155_701_384, "hg38", XRegion.PAR2),
    ],
)
def test_regions_of_both_builds(position, build, region):
    assert x_region(position, build) is region


def check(*sites):
    made = PloidyCheck(len(sites[0][1]))
    for position, calls in sites:
        made.add(position, np.array(calls, np.int8))
    return made


def test_sample_of_two_ploidies_is_found_where_it_changes():
    made = check(
        (BETWEEN, [MAN, WOMAN, NOBODY]),
        (BETWEEN + 1, [MAN, NOBODY, MAN]),
        (BETWEEN + 2, [WOMAN, WOMAN, MAN]),
        (BETWEEN + 3, [WOMAN, MAN, MAN]),
    )
    assert made.conflicts == [PloidyConflict(0, BETWEEN + 2), PloidyConflict(1, BETWEEN + 3)]


def test_men_are_known_by_what_was_called():
    made = check((BETWEEN, [NOBODY, WOMAN, MAN]), (BETWEEN + 1, [MAN, NOBODY, NOBODY]))
    assert made.conflicts == []
    assert made.haploid.tolist() == [True, False, True]


def test_mixed_genotypes_above_the_limit_are_found():
    sites = [
        (BETWEEN + n, [MIXED if n < 2 else WOMAN, MIXED if n < 1 else WOMAN, MAN])
        for n in range(10)
    ]
    assert check(*sites).mixed(0.1) == [0]
