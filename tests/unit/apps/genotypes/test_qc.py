import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.genotypes.calls import MISSING
from apps.genotypes.qc import (
    AlleleMatch,
    PanelSite,
    PanelSites,
    VerdictKind,
    chi_square,
    compare_alleles,
    judge_site,
)

BASES = "ACGT"
PAIRS = st.permutations(BASES).map(lambda p: (p[0].encode(), p[1].encode()))
COMPLEMENT = {b"A": b"T", b"T": b"A", b"C": b"G", b"G": b"C"}


def calls(*pairs):
    return np.array(pairs, np.int8)


def judge(ref=b"A", alt=b"C", flags=b"PASS", panel=((b"A", b"C"),), genotypes=None, **more):
    return judge_site(
        ref=ref,
        alt=alt,
        flags=flags,
        calls=calls((0, 1), (1, 1)) if genotypes is None else genotypes,
        panel=[PanelSite(5, r, a, 0.25) for r, a in panel],
        **more,
    )


@pytest.mark.parametrize(
    ("change", "kind", "info"),
    [
        ({"alt": b"C,G"}, "MULTIALLELIC", "Multiallelic Site"),
        ({"alt": b"<DEL>"}, "INVALID_ALLELES", "Invalid Alleles"),
        ({"alt": b"."}, "INVALID_ALLELES", "Invalid Alleles"),
        ({"ref": b"N"}, "INVALID_ALLELES", "Invalid Alleles"),
        ({"alt": b"c"}, "INVALID_ALLELES", "Invalid Alleles"),
        ({"flags": b"q10;DUP"}, "DUPLICATE", "Filter Duplicate"),
        ({"repeated": True}, "DUPLICATE", "Filter Duplicate"),
        ({"flags": b"q10"}, "FILTERED", "Filter Other"),
        ({"alt": b"CT"}, "INDEL", "InDel"),
        ({"ref": b"AT"}, "INDEL", "InDel"),
        ({"genotypes": calls((0, 0), (MISSING, MISSING))}, "MONOMORPHIC", "Monomorphic"),
        ({"panel": ()}, "TYPED_ONLY", ""),
        ({}, "IN_PANEL", ""),
        ({"ref": b"A", "alt": b"T", "panel": [(b"T", b"A")]}, "IN_PANEL", ""),
        ({"panel": [(b"C", b"A")]}, "ALLELE_SWITCH", "Allele switch. Reference Panel: C/A"),
        ({"panel": [(b"T", b"G")]}, "STRAND_FLIP", "Strand flip. Reference Panel: T/G"),
        (
            {"panel": [(b"G", b"T")]},
            "STRAND_FLIP_AND_ALLELE_SWITCH",
            "Strand flip and Allele switch. Reference Panel: G/T",
        ),
        ({"panel": [(b"A", b"T")]}, "ALLELE_MISMATCH", "Allele mismatch. Reference Panel: A/T"),
        ({"panel": [(b"A", b"C"), (b"A", b"T")]}, "IN_PANEL", ""),
        (
            {"panel": [(b"A", b"T"), (b"C", b"A")]},
            "ALLELE_SWITCH",
            "Allele switch. Reference Panel: C/A",
        ),
        (
            {"genotypes": calls((0, 1), *[(MISSING, MISSING)] * 3)},
            "LOW_CALL_RATE",
            "Low call rate. Value: 0.25",
        ),
    ],
)
def test_site_is_judged(change, kind, info):
    verdict = judge(**change)
    assert (verdict.kind, verdict.info) == (VerdictKind[kind], info)


def test_first_rule_decides():
    everything = {"ref": b"N", "alt": b"C,G", "flags": b"DUP", "genotypes": calls((0, 0), (0, 0))}
    assert judge(**everything).kind is VerdictKind.MULTIALLELIC
    assert judge(**everything | {"alt": b"CG"}).kind is VerdictKind.INVALID_ALLELES
    assert judge(**everything | {"ref": b"A", "alt": b"CG"}).kind is VerdictKind.DUPLICATE
    few = {"panel": [(b"C", b"A")], "genotypes": calls((0, 1), (MISSING, MISSING))}
    assert judge(**few).kind is VerdictKind.ALLELE_SWITCH


@pytest.mark.parametrize(("missing", "kept"), [(1, True), (2, False)])
def test_a_tenth_may_be_missing(missing, kept):
    genotypes = calls(*[(0, 1)] * (10 - missing), *[(MISSING, MISSING)] * missing)
    assert judge(genotypes=genotypes).kind.kept is kept


def test_single_sample_is_never_monomorphic():
    assert judge(genotypes=calls((0, 0))).kind is VerdictKind.IN_PANEL


def test_frequency_counts_called_alleles_only():
    assert judge(genotypes=calls((0, 1), (1, 1), (MISSING, MISSING))).alt_frequency == 0.75


@given(PAIRS, PAIRS)
def test_alleles_are_classified_by_what_would_mend_them(ours, theirs):
    flipped = (COMPLEMENT[ours[0]], COMPLEMENT[ours[1]])
    palindromic = flipped == ours[::-1]
    mends = {
        AlleleMatch.SAME: ours,
        AlleleMatch.SWITCH: ours[::-1],
        AlleleMatch.FLIP: flipped,
        AlleleMatch.FLIP_AND_SWITCH: flipped[::-1],
    }
    match = compare_alleles(*ours, *theirs)
    if match is AlleleMatch.MISMATCH:
        assert theirs not in mends.values()
    elif match is AlleleMatch.AMBIGUOUS:
        assert palindromic
        assert set(ours) == set(theirs)
    else:
        assert mends[match] == theirs
        assert not palindromic or match is AlleleMatch.SAME


def test_panel_sites_are_joined_by_position():
    sites = [
        PanelSite(p, b"A", alt, 0.1) for p, alt in [(2, b"C"), (5, b"C"), (5, b"G"), (9, b"C")]
    ]
    join = PanelSites(sites)
    assert [len(join.at(p)) for p in (1, 5, 5, 6, 9, 10)] == [0, 2, 2, 0, 1, 0]


def test_chi_square_of_a_table_known_by_hand():
    # ALT and REF 30 and 70 against 10 and 90: 200 * (30 * 90 - 70 * 10)^2 / (100 * 100 * 40 * 160)
    assert chi_square(0.3, 100, 0.1, 100) == pytest.approx(12.5)
    assert math.isnan(chi_square(0.0, 100, 0.0, 100))
    assert math.isnan(chi_square(0.3, 0, 0.1, 100))
