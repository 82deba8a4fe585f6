"""What becomes of the study's records, with engines whose answers the test chooses."""

import errno
import random
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from cyvcf2 import VCF

from apps.genotypes.bgzf import BgzfWriter
from apps.genotypes.calls import ABSENT
from apps.genotypes.job_rules import Chunk
from apps.node.pipeline.phasing import PhasingFailed, phase_chunk
from apps.node.pipeline.phasing.inputs import Record, read_records
from apps.node.pipeline.phasing.result import ordered
from tests.unit.apps.node.pipeline.conftest import names, write_vcf

SAMPLES = 8
CHUNK = 20_000_000


def haplotypes(positions, *, seed=1):
    generator = random.Random(seed)
    return {
        position: [[generator.randrange(2), generator.randrange(2)] for _ in range(SAMPLES)]
        for position in positions
    }


def rows_of(calls, *, between="|", ref="A", alt="C"):
    return [
        ("chr20", position, ref, alt, "PASS", [between.join(map(str, pair)) for pair in pairs])
        for position, pairs in calls.items()
    ]


def unordered(calls):
    return {position: [sorted(pair) for pair in pairs] for position, pairs in calls.items()}


@dataclass
class Oracle:
    """An engine that knows the truth, turns some samples, and writes what it is told to."""

    truth: dict[int, Any]
    turned: Collection[int] = ()
    leave_out: Collection[int] = ()
    name: str = "Oracle"
    version: str = "1"
    given: list[Record] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def phase(self, task, *, progress, log):
        path = task.folder / "oracle.vcf.gz"
        self.names = VCF(str(task.targets)).samples
        rows = []
        for record in read_records(task.targets):
            self.given.append(record)
            if record.position in self.leave_out:
                continue
            pairs = [
                pair[::-1] if sample in self.turned else pair
                for sample, pair in enumerate(self.truth[record.position])
            ]
            calls = [f"{a}|{b}" for a, b in pairs]
            rows.append(("1", record.position, "A", "C", "PASS", calls))
        progress(1.0)
        return write_vcf(path, rows, samples=[f"S{n}" for n in range(len(rows[0][5]))])


@pytest.fixture
def phase(tmp_path):
    """Phase a chunk of a study; its records and how many sites were left."""
    folders = iter(range(100))

    def phase(panel, rows, engine, *, number=0, before=None, samples=SAMPLES):
        name = f"{next(folders)}"
        study = write_vcf(tmp_path / f"study{name}.vcf.gz", rows, samples=names(samples))
        result = phase_chunk(
            Chunk(chromosome="20", number=number, samples=samples),
            study,
            panel,
            engine,
            before=before,
            margin=500_000,
            threads=1,
            memory_mb=512,
            folder=tmp_path / f"phased{name}",
            progress=lambda _: None,
            log=lambda _: None,
        )
        found = {r.position: r.calls.tolist() for r in read_records(result.path)}
        return result, found

    return phase


POSITIONS = range(1_000_000, 1_030_000, 1000)
TRUTH = haplotypes(POSITIONS)


@pytest.fixture
def panel(make_panel):
    return make_panel({"20": rows_of(haplotypes(POSITIONS, seed=2))}, samples=SAMPLES)


def test_order_of_alleles_is_taken_from_the_engine(panel, phase):
    result, found = phase(panel, rows_of(unordered(TRUTH), between="/"), Oracle(TRUTH))
    assert found == TRUTH
    assert result.left == 0
    assert result.first_is_whole


def test_the_engine_sees_neither_names_nor_alleles(panel, phase):
    engine = Oracle(TRUTH)
    phase(panel, rows_of(unordered(TRUTH), between="/"), engine)
    assert engine.names == [f"S{number}" for number in range(SAMPLES)]
    columns = [record.fixed.split(b"\t") for record in engine.given]
    assert {(c[0], *c[2:]) for c in columns} == {(b"1", *b". A C . PASS . GT".split())}


def test_missing_genotypes_are_the_engines_guess(panel, phase):
    sent = unordered(TRUTH)
    position = POSITIONS[3]
    sent[position] = [[".", "."], [".", 1], *sent[position][2:]]
    _, found = phase(panel, rows_of(sent, between="/"), Oracle(TRUTH))
    assert found == TRUTH


def test_a_genotype_that_was_sent_is_never_changed(panel, phase):
    other = {p: [[1 - a, 1 - b] for a, b in pairs] for p, pairs in TRUTH.items()}
    _, found = phase(panel, rows_of(TRUTH), Oracle(other))
    assert unordered(found) == unordered(TRUTH)


def test_sites_that_the_engine_leaves_out_stay_and_follow_their_neighbours(panel, phase):
    left = POSITIONS[10:13]
    engine = Oracle(TRUTH, turned=range(SAMPLES), leave_out=tuple(left))
    result, found = phase(panel, rows_of(TRUTH), engine)
    apart = [
        sample
        for sample in range(SAMPLES)
        if any(len(set(TRUTH[p][sample])) == 2 for p in POSITIONS[:10])
    ]
    assert apart
    assert result.left == len(left)
    for position in left:
        for sample in apart:
            assert found[position][sample] == TRUTH[position][sample][::-1]


def test_sites_that_the_panel_lacks_stay_as_they_were_sent(panel, phase):
    only = 1_000_500
    sent = unordered(TRUTH) | {only: [[0, 1]] * (SAMPLES - 1) + [[".", "."]]}
    rows = sorted(rows_of(sent, between="/"), key=lambda row: row[1])
    result, found = phase(panel, rows, Oracle(TRUTH))
    assert result.left == 1
    assert unordered(found)[only] == [[0, 1]] * (SAMPLES - 1) + [[-1, -1]]
    assert {p: c for p, c in found.items() if p != only} == TRUTH


@pytest.mark.parametrize(("leave_out", "whole"), [((), True), ((POSITIONS[4],), False)])
def test_whether_the_first_haplotype_still_misses_a_site_of_the_panel_is_told(
    panel, phase, leave_out, whole
):
    sent = unordered(TRUTH)
    sent[POSITIONS[4]] = [[".", "."], *sent[POSITIONS[4]][1:]]
    rows = rows_of(sent, between="/")
    lacking = ("chr20", 1_000_500, "G", "T", "PASS", ["./."] + ["0/1"] * (SAMPLES - 1))
    result, _ = phase(panel, [rows[0], lacking, *rows[1:]], Oracle(TRUTH, leave_out=leave_out))
    assert result.first_is_whole is whole


def test_several_variants_of_one_position_are_all_phased(make_panel, phase):
    rows = rows_of(haplotypes(POSITIONS, seed=2))
    again = [(*row[:3], "G", *row[4:]) for row in rows[:5]]
    indel = [(*row[:3], "ACC", *row[4:]) for row in rows[:5]]
    every = sorted([*rows, *again, *indel], key=lambda row: row[1])
    panel = make_panel({"20": every}, samples=SAMPLES)
    engine = Oracle(TRUTH | {p + n: TRUTH[p] for p in POSITIONS[:5] for n in (1, 2)})
    sent = [(*row[:5], ["0/1"] * SAMPLES) for row in every]
    result, _ = phase(panel, sent, engine)
    given = [record.position for record in engine.given]
    assert given == sorted(set(given))
    assert len(given) == len(every)
    assert result.left == 0
    assert sum(1 for _ in read_records(result.path)) == len(every)


@pytest.mark.parametrize("turned", [(), (0, 3, 5), tuple(range(SAMPLES))])
def test_chunks_are_joined_to_one_pair_of_haplotypes(make_panel, phase, turned):
    positions = range(CHUNK - 2_000_000, CHUNK + 2_000_000, 100_000)
    truth = haplotypes(positions)
    panel = make_panel({"20": rows_of(haplotypes(positions, seed=2))}, samples=SAMPLES)
    rows = rows_of(unordered(truth), between="/")
    before, first = phase(panel, rows, Oracle(truth))
    _, second = phase(panel, rows, Oracle(truth, turned=turned), number=1, before=before)
    assert list(first) == [p for p in positions if p <= CHUNK + 500_000]
    assert list(second) == [p for p in positions if p > CHUNK - 500_000]
    assert first | second == truth


def test_chunks_that_are_no_neighbours_are_left_alone(make_panel, phase):
    near, far = (
        range(CHUNK - 50_000, CHUNK, 1000),
        range(2 * CHUNK + 1000, 2 * CHUNK + 50_000, 1000),
    )
    truth = haplotypes([*near, *far])
    panel = make_panel({"20": rows_of(haplotypes([*near, *far], seed=2))}, samples=SAMPLES)
    rows = rows_of(unordered(truth), between="/")
    before, _ = phase(panel, [row for row in rows if row[1] in near], Oracle(truth))
    _, found = phase(
        panel, [row for row in rows if row[1] in far], Oracle(truth), number=2, before=before
    )
    assert found == {position: truth[position] for position in far}


def test_haploid_genotypes_stay_haploid(panel, phase):
    sent = {
        p: [[pair[0]] if s < 3 else sorted(pair) for s, pair in enumerate(pairs)]
        for p, pairs in TRUTH.items()
    }
    truth = {
        p: [[pair[0]] * 2 if s < 3 else pair for s, pair in enumerate(pairs)]
        for p, pairs in TRUTH.items()
    }
    sent[POSITIONS[4]][1] = ["."]
    _, found = phase(panel, rows_of(sent, between="/"), Oracle(truth))
    assert found == {
        p: [[pair[0], ABSENT] if s < 3 else pair for s, pair in enumerate(pairs)]
        for p, pairs in TRUTH.items()
    }


@dataclass
class Writes:
    """An engine that writes the same whatever it is asked."""

    content: bytes
    name: str = "Writer"
    version: str = "1"

    def phase(self, task, *, progress, log):
        path = task.folder / "written.vcf.gz"
        with BgzfWriter(path) as out:
            out.write(self.content)
        return path


HEAD = b"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS0\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"nothing of use", "no genotypes that can be read"),
        (HEAD + b"1\t1000000\t.\tA\tC\t.\t.\t.\tGT\t0|1\n", "other genotypes than were asked"),
        (HEAD + b"1\t999\t.\tA\tC\t.\t.\t.\tGT\t0|1\n", "other sites than were asked"),
        (HEAD + b"1\t1000000\n", "no genotypes that can be read"),
    ],
)
def test_an_answer_that_does_not_fit_fails(panel, phase, content, said):
    with pytest.raises(PhasingFailed, match=said):
        phase(panel, rows_of(TRUTH), Writes(content))


@dataclass
class Breaks:
    """An engine at which the operating system fails."""

    number: int
    name: str = "Breaker"
    version: str = "1"

    def phase(self, task, *, progress, log):
        raise OSError(self.number, "…")


def test_a_full_disk_is_told_and_no_other_fault_is_taken_for_one(panel, phase):
    with pytest.raises(PhasingFailed, match="The disk of this server is full"):
        phase(panel, rows_of(TRUTH), Breaks(errno.ENOSPC))
    with pytest.raises(OSError, match="…"):
        phase(panel, rows_of(TRUTH), Breaks(errno.EIO))


def test_nothing_is_asked_of_an_engine_when_the_panel_has_no_site(make_panel, phase):
    panel = make_panel({"20": rows_of(haplotypes(range(5000, 9000, 1000)))}, samples=SAMPLES)
    result, found = phase(panel, rows_of(TRUTH), Breaks(errno.EIO))
    assert found == TRUTH
    assert result.left == len(TRUTH)


def test_ordered_never_changes_a_genotype_that_is_known():
    generator = np.random.default_rng(5)
    sent = generator.integers(-1, 2, (500, 2)).astype(np.int8)
    phased = generator.integers(0, 2, (500, 2)).astype(np.int8)
    result = ordered(sent, phased)
    known = (sent >= 0).all(axis=1)
    assert (np.sort(result[known]) == np.sort(sent[known])).all()
    assert (result[~known] == phased[~known]).all()
    same = (np.sort(sent) == np.sort(phased)).all(axis=1)
    assert (result[same] == phased[same]).all()
