import numpy as np
import pytest

from apps.genotypes.calls import MISSING
from apps.genotypes.job_rules import (
    Chunk,
    ChunkFault,
    Totals,
    check_chromosome_x,
    check_samples,
    check_totals,
    judge_chunk,
)
from apps.genotypes.qc import AlleleMatch, Verdict, VerdictKind
from apps.genotypes.rules import JobLimits, PanelRules

CALLED = np.array([[0, 1], [0, 0]], np.int8)
ONE_MISSING = np.array([[0, 1], [MISSING, MISSING]], np.int8)
FOUND = Verdict(kind=VerdictKind.IN_PANEL, match=AlleleMatch.SAME)
SWITCHED = Verdict(kind=VerdictKind.ALLELE_SWITCH, match=AlleleMatch.SWITCH)
TYPED_ONLY = Verdict(kind=VerdictKind.TYPED_ONLY)


def chunk(found, typed_only=0, missing=0, excluded=0):
    made = Chunk(chromosome="20", number=2, samples=2)
    made.add(Verdict(kind=VerdictKind.INDEL), CALLED)
    for _ in range(excluded):
        made.add(SWITCHED, ONE_MISSING)
    for at in range(found):
        made.add(FOUND, ONE_MISSING if at < missing else CALLED)
    for _ in range(typed_only):
        made.add(TYPED_ONLY, CALLED)
    return made


@pytest.mark.parametrize(
    ("made", "fault"),
    [
        (chunk(3), None),
        (chunk(3, typed_only=3), None),
        (chunk(3, typed_only=4), ChunkFault.OVERLAP),
        (chunk(2), ChunkFault.FEW_SNPS),
        (chunk(2, typed_only=9), ChunkFault.OVERLAP),
        (chunk(2, missing=2), ChunkFault.FEW_SNPS),
        (chunk(4, missing=2), None),
        (chunk(4, missing=3), ChunkFault.CALL_RATE),
        (chunk(0), ChunkFault.FEW_SNPS),
        (chunk(0, typed_only=1), ChunkFault.OVERLAP),
        (chunk(2, excluded=9), ChunkFault.FEW_SNPS),
        (chunk(3, typed_only=4, excluded=1), None),
    ],
)
def test_chunk_is_judged_in_the_order_of_its_faults(made, fault):
    assert judge_chunk(made, PanelRules()) is fault


def test_chunk_is_named_as_the_server_does():
    assert Chunk(chromosome="20", number=0, samples=1).name == "chunk_20_0000000001_0020000000"
    assert chunk(0).name == "chunk_20_0040000001_0060000000"


def totals(**kinds):
    made = Totals()
    for name, count in kinds.items():
        for _ in range(count):
            made.add(Verdict(kind=VerdictKind[name]))
    return made


def test_combined_faults_count_on_both_sides():
    made = totals(STRAND_FLIP=3, ALLELE_SWITCH=5, STRAND_FLIP_AND_ALLELE_SWITCH=2, INDEL=1)
    assert (made.strand_flips, made.allele_switches, made.excluded, made.kept) == (5, 7, 11, 0)


@pytest.mark.parametrize(
    ("made", "chunks", "rules", "said"),
    [
        (totals(STRAND_FLIP=100), 1, PanelRules(), []),
        (totals(STRAND_FLIP=101), 1, PanelRules(), ["More than 100 obvious strand flips"]),
        (totals(ALLELE_SWITCH=999), 1, PanelRules(), []),
        (
            totals(ALLELE_SWITCH=8),
            1,
            PanelRules(allele_switches=7),
            ["More than 7 allele switches"],
        ),
        (totals(), 0, PanelRules(), ["No chunks passed the QC step"]),
    ],
)
def test_job_is_refused_by_its_totals(made, chunks, rules, said):
    reasons = list(check_totals(made, chunks, rules))
    assert len(reasons) == len(said)
    assert all(reason.startswith(start) for reason, start in zip(reasons, said, strict=True))


def test_overlap_and_counts_of_kept_sites():
    made = Totals()
    for verdict in [
        FOUND,
        FOUND,
        Verdict(kind=VerdictKind.IN_PANEL, match=AlleleMatch.AMBIGUOUS),
        TYPED_ONLY,
        Verdict(kind=VerdictKind.LOW_CALL_RATE, match=AlleleMatch.SAME, alt_frequency=0.6),
    ]:
        made.add(verdict)
    assert made.overlap == 0.8
    assert (made.matching, made.palindromic, made.alt_above_half) == (3, 1, 1)
    assert (made.remaining, made.kept) == (3, 4)


def test_chromosome_x_is_refused_in_the_servers_words():
    assert list(check_chromosome_x(mixed=False, conflicts=0, rules=PanelRules())) == []
    mixed, ambiguous = check_chromosome_x(mixed=True, conflicts=2, rules=PanelRules())
    assert mixed == (
        "Chromosome X nonPAR region includes > 10 % mixed genotypes. Imputation cannot be started!"
    )
    assert ambiguous == (
        "ChrX nonPAR region includes ambiguous samples (haploid and diploid positions). "
        "Imputation cannot be started! See chrX-info.txt"
    )


@pytest.mark.parametrize(
    ("samples", "said"),
    [(19, "At least 20 samples must be uploaded."), (20, None), (30, None), (31, "maximum")],
)
def test_number_of_samples_is_checked(samples, said):
    answer = check_samples(samples, JobLimits(max_samples=30))
    assert (answer is None) if said is None else (said in str(answer))
