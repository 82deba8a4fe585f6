"""Quality control of a whole job: its totals, its chunks and its limits.

A chromosome is cut into chunks of 20 Mb that are imputed one by one; a chunk that would impute
badly is left out, and a job with too many strand flips is refused, since it was probably read
from the wrong strand. Rules and words are those of imputationserver2 (2.0.12).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
import numpy.typing as npt

from apps.genotypes.calls import Calls, missing_genotypes
from apps.genotypes.qc import AlleleMatch, Verdict, VerdictKind
from apps.genotypes.rules import CHUNK_SIZE, JobLimits, PanelRules

__all__ = [
    "CHUNK_SIZE",
    "Chunk",
    "ChunkFault",
    "Totals",
    "check_chromosome_x",
    "check_samples",
    "check_totals",
    "judge_chunk",
]


@dataclass(kw_only=True)
class Totals:
    """Counts over all sites of a job; `add` each verdict once.

    Attributes:
        matching: Sites with the panel's REF and ALT, those of a low call rate included.
        palindromic: A/T and C/G sites that the panel has with REF and ALT the other way round.
        found: Sites whose position the panel has, whatever became of them.
    """

    kinds: dict[VerdictKind, int] = field(default_factory=lambda: dict.fromkeys(VerdictKind, 0))
    matching: int = 0
    palindromic: int = 0
    alt_above_half: int = 0
    found: int = 0

    def add(self, verdict: Verdict) -> None:
        self.kinds[verdict.kind] += 1
        if verdict.alt_frequency is not None and verdict.alt_frequency > 0.5:
            self.alt_above_half += 1
        if verdict.match is None:
            return
        self.found += 1
        if verdict.match is AlleleMatch.SAME:
            self.matching += 1
        elif verdict.match is AlleleMatch.AMBIGUOUS:
            self.palindromic += 1

    @property
    def overlap(self) -> float:
        """Share of the compared sites whose position the panel has."""
        compared = self.found + self.kinds[VerdictKind.TYPED_ONLY]
        return self.found / compared if compared else 0.0

    @property
    def strand_flips(self) -> int:
        """Strand flips, those that are switches as well included."""
        return (
            self.kinds[VerdictKind.STRAND_FLIP]
            + self.kinds[VerdictKind.STRAND_FLIP_AND_ALLELE_SWITCH]
        )

    @property
    def allele_switches(self) -> int:
        """Allele switches, those that are flips as well included."""
        return (
            self.kinds[VerdictKind.ALLELE_SWITCH]
            + self.kinds[VerdictKind.STRAND_FLIP_AND_ALLELE_SWITCH]
        )

    @property
    def excluded(self) -> int:
        return sum(count for kind, count in self.kinds.items() if not kind.kept)

    @property
    def kept(self) -> int:
        return sum(count for kind, count in self.kinds.items() if kind.kept)

    @property
    def remaining(self) -> int:
        """Kept sites that the panel has: what the server calls remaining, without typed only."""
        return self.kinds[VerdictKind.IN_PANEL]


class ChunkFault(Enum):
    """Why a chunk is left out; tried in this order."""

    OVERLAP = "reference overlap"
    FEW_SNPS = "few SNPs"
    CALL_RATE = "sample call rate"


@dataclass(kw_only=True)
class Chunk:
    """A stretch of a chromosome that is imputed by itself, and what its sites are.

    Attributes:
        chromosome: Without `chr`; of chromosome X the region, `X.nonPAR`.
        number: Counted from 0; it covers number * size + 1 to (number + 1) * size.
        found: Sites whose position the panel has, excluded ones included.
        typed_only: Sites whose position the panel lacks.
        sites: Sites of the panel that are kept.
        called: Of those, how many are called, by sample.
    """

    chromosome: str
    number: int
    samples: int
    size: int = CHUNK_SIZE
    found: int = 0
    typed_only: int = 0
    sites: int = 0
    called: npt.NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.called = np.zeros(self.samples, np.int64)

    @property
    def start(self) -> int:
        return self.number * self.size + 1

    @property
    def end(self) -> int:
        return (self.number + 1) * self.size

    @property
    def name(self) -> str:
        """As the server names its files: `chunk_20_0000000001_0020000000`."""
        return f"chunk_{self.chromosome}_{self.start:010d}_{self.end:010d}"

    @property
    def overlap(self) -> float:
        """Share of the compared sites whose position the panel has; NaN when there is none."""
        compared = self.found + self.typed_only
        return self.found / compared if compared else math.nan

    def add(self, verdict: Verdict, calls: Calls) -> None:
        """Count a site, whatever its verdict."""
        if verdict.kind is VerdictKind.TYPED_ONLY:
            self.typed_only += 1
        elif verdict.match is not None:
            self.found += 1
            if verdict.kind.kept:
                self.sites += 1
                self.called += ~missing_genotypes(calls)

    def samples_below(self, call_rate: float) -> int:
        """How many samples are called at a smaller share of the kept sites."""
        return int((self.called < call_rate * self.sites).sum())


def judge_chunk(chunk: Chunk, rules: PanelRules) -> ChunkFault | None:
    """Decide whether a chunk can be imputed; None means yes."""
    if chunk.overlap < rules.overlap:
        return ChunkFault.OVERLAP
    if chunk.sites < max(rules.min_snps, 1):
        return ChunkFault.FEW_SNPS
    if chunk.samples_below(rules.sample_call_rate):
        return ChunkFault.CALL_RATE
    return None


def check_samples(samples: int, limits: JobLimits) -> str | None:
    """What is wrong with the number of samples, in the server's words; None if nothing is."""
    if samples < limits.min_samples:
        return f"At least {limits.min_samples} samples must be uploaded."
    if samples > limits.max_samples:
        return (
            f"The maximum number of samples is {limits.max_samples}. Please contact the operators "
            "of this service to discuss this large imputation."
        )
    return None


def check_totals(totals: Totals, chunks_kept: int, rules: PanelRules) -> Iterator[str]:
    """Why the job cannot go on, in the server's words; nothing if it can.

    The server stops at the first reason, here all are given.
    """
    if not chunks_kept:
        yield "No chunks passed the QC step. Imputation cannot be started!"
    if totals.strand_flips > rules.strand_flips:
        yield (
            f"More than {rules.strand_flips} obvious strand flips have been detected. "
            "Please check strand. Imputation cannot be started!"
        )
    if rules.allele_switches is not None and totals.allele_switches > rules.allele_switches:
        yield (
            f"More than {rules.allele_switches} allele switches have been detected. "
            "Imputation cannot be started!"
        )


def check_chromosome_x(*, mixed: bool, conflicts: int, rules: PanelRules) -> Iterator[str]:
    """Why chromosome X cannot go on, in the server's words; nothing if it can.

    Args:
        mixed: Whether a sample has more `1/.` than the rules allow.
        conflicts: How many samples are haploid at one site and diploid at another.
    """
    if mixed:
        yield (
            f"Chromosome X nonPAR region includes > {100 * rules.mixed_genotypes_x:g} % mixed "
            "genotypes. Imputation cannot be started!"
        )
    if conflicts:
        yield (
            "ChrX nonPAR region includes ambiguous samples (haploid and diploid positions). "
            "Imputation cannot be started! See chrX-info.txt"
        )
