"""Stage 3: what the genotypes are like, at the SNPs that passed all filters.

Only sums are kept: how often each sample is called and heterozygous, and bins of frequencies.
The lines are read as in stage 2 and not through htslib, which keeps every name of a contig or of
a field that a file makes up: the file would decide how much memory the process needs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from apps.genotypes.check.beside_panel import PanelChoice
from apps.genotypes.check.cells import Genotypes, read_genotypes, too_few_called
from apps.genotypes.check.chromosomes import Chromosomes
from apps.genotypes.check.columns import read_alleles, read_positions, starts_with_gt
from apps.genotypes.check.facts import QualityFacts, SampleFacts
from apps.genotypes.check.findings import Findings, shown
from apps.genotypes.check.lines import Bytes, Flags, Numbers, Records, TextLines, distinct
from apps.genotypes.check.matching import MATCHING, compare_sites
from apps.genotypes.check.report import Example
from apps.genotypes.chromosome_x import PloidyCheck, XRegion, x_region
from apps.genotypes.rules import PanelRules
from apps.genotypes.sites import SiteTable, open_site_table

__all__ = ["Agreement", "Quality"]

_BINS: Final = 20
_MIN_SAMPLE_CALL_RATE: Final = 0.9
_DEVIATIONS: Final = 4.0
_ENOUGH_SAMPLES: Final = 20
_ENOUGH_SITES: Final = 100
_LISTED: Final = 20
_FAR: Final = 0.2
_STEP: Final = 1024
_TRANSITIONS: Final = np.zeros(16, bool)
_TRANSITIONS[[2, 7, 8, 13]] = True  # A/G, C/T, G/A, T/C

Frequencies = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How the frequencies of ALT are to those of a panel.

    Attributes:
        sites: Compared ones: with the panel's REF and ALT, and a frequency there.
        correlation: Pearson's r; None for less than three sites or without any variance.
        far: Sites whose frequencies differ by more than 0.2.
    """

    sites: int
    correlation: float | None
    far: int


class Quality:
    """Take in the lines behind the header, piece by piece."""

    def __init__(
        self,
        *,
        findings: Findings,
        samples: Sequence[str],
        build: str | None,
        panels: Sequence[PanelChoice],
    ) -> None:
        self._findings = findings
        self._samples = samples
        self._build = build
        self._chromosomes = Chromosomes()
        self._beside = {panel.key: _Beside(panel, findings) for panel in panels}
        self._sites = self._low = self._transitions = 0
        self._called = np.zeros(len(samples), np.int64)
        self._diploid = np.zeros(len(samples), np.int64)
        self._heterozygous = np.zeros(len(samples), np.int64)
        self._frequencies = np.zeros(_BINS, np.int64)
        self._ploidy = PloidyCheck(len(samples))

    def add(self, lines: TextLines) -> None:
        """Take in the next lines; those that break a rule of stage 2 are left out."""
        records, _ = Records.cut(lines, len(self._samples))
        if not len(records):
            return
        ids = self._chromosomes.read(records)
        positions, alleles = read_positions(records), read_alleles(records)
        known = np.array([chromosome.name is not None for chromosome in self._chromosomes.all])
        wanted = alleles.plain & ~alleles.equal & starts_with_gt(records)
        wanted &= known[ids] & (positions > 0)
        records = records.only(wanted)
        if not len(records):
            return
        genotypes = read_genotypes(records, len(self._samples))
        good = np.ones(len(records), bool)
        good[list(genotypes.malformed)] = False
        if not good.all():
            records, genotypes = records.only(good), genotypes.only(good)
            wanted[wanted] = good
        codes, positions, ids = alleles.codes[wanted], positions[wanted], ids[wanted]
        frequencies = self._count(genotypes, codes)
        for number in distinct(ids):
            name = self._chromosomes.all[number].name or ""
            here = ids == number
            if name == "X":
                self._follow_x(genotypes, positions, here)
            here &= ~np.isnan(frequencies)
            for beside in self._beside.values():
                numbers = records.lines.numbers[here]
                beside.add(name, positions[here], codes[here], frequencies[here], numbers)

    def _count(self, genotypes: Genotypes, codes: Bytes) -> Frequencies:
        """Add to all sums; the frequency of ALT of each line, NaN where nothing is called."""
        self._sites += len(codes)
        self._transitions += int(_TRANSITIONS[codes].sum())
        complete = ~(genotypes.any_missing | genotypes.any_haploid)
        dosages = genotypes.carried()
        self._called += len(codes)
        self._diploid += int(complete.sum())
        self._heterozygous += (dosages[complete] == 1).sum(axis=0)
        carried = dosages.sum(axis=1, dtype=np.int64)
        called = np.full(len(codes), 2 * len(self._samples))
        if not complete.all():
            rest = ~complete
            missing, diploid = genotypes.missing_at(rest), genotypes.diploid_at(rest)
            self._low += int(too_few_called(missing).sum())
            self._called -= missing.sum(axis=0)
            self._diploid += diploid.sum(axis=0)
            self._heterozygous += (diploid & (dosages[rest] == 1)).sum(axis=0)
            called[rest] = genotypes.called_at(rest)
        with np.errstate(invalid="ignore"):
            frequencies: Frequencies = np.where(called > 0, carried / np.maximum(called, 1), np.nan)
        bins = np.minimum((frequencies[called > 0] * _BINS).astype(np.int64), _BINS - 1)
        self._frequencies += np.bincount(bins, minlength=_BINS)
        return frequencies

    def _follow_x(self, genotypes: Genotypes, positions: Numbers, here: Flags) -> None:
        for row in np.flatnonzero(here).tolist():
            position = int(positions[row])
            if x_region(position, self._build or "hg38") is XRegion.NON_PAR:
                self._ploidy.add(position, genotypes.calls(row))

    def close(self) -> None:
        """Note what only all genotypes tell."""
        rates, heterozygosity = self._rates(), self._heterozygosity()
        self._note_samples(
            "sample-call-rate",
            "Samples are called at less than 90 % of the sites.",
            self._list(rates, rates < _MIN_SAMPLE_CALL_RATE, rates),
            int((rates < _MIN_SAMPLE_CALL_RATE).sum()),
        )
        distance = _deviations(heterozygosity, self._diploid >= _ENOUGH_SITES)
        self._note_samples(
            "sample-heterozygosity",
            "Samples are far more, or far less, heterozygous than the others.",
            self._list(heterozygosity, distance > _DEVIATIONS, -distance),
            int((distance > _DEVIATIONS).sum()),
        )
        mixed = self._ploidy.mixed(PanelRules().mixed_genotypes_x)
        self._note_samples(
            "x-mixed",
            "Samples have many genotypes of chromosome X with one allele missing.",
            [self._sample(number, 0.0) for number in mixed[:_LISTED]],
            len(mixed),
        )
        conflicts = self._ploidy.conflicts
        self._note_samples(
            "x-ploidy",
            "Samples have one allele at some sites of chromosome X, and two at others.",
            [self._sample(c.sample, c.position) for c in conflicts[:_LISTED]],
            len(conflicts),
        )

    def agreement(self, panel: str) -> Agreement:
        """The frequencies beside those of a panel, by its key."""
        return self._beside[panel].agreement()

    def facts(self) -> QualityFacts:
        rates, heterozygosity = self._rates(), self._heterozygosity()
        genotypes = self._sites * len(self._samples)
        transversions = self._sites - self._transitions
        known = self._diploid > 0
        distance = _deviations(heterozygosity, self._diploid >= _ENOUGH_SITES)
        bins = np.minimum((rates * _BINS).astype(np.int64), _BINS - 1)
        return QualityFacts(
            genotypes=genotypes,
            call_rate=float(self._called.sum() / genotypes) if genotypes else None,
            sites_low_call_rate=self._low,
            transitions=self._transitions,
            transversions=transversions,
            ti_tv=self._transitions / transversions if transversions else None,
            heterozygosity=float(heterozygosity[known].mean()) if known.any() else None,
            allele_frequencies=tuple(self._frequencies.tolist()),
            sample_call_rates=tuple(np.bincount(bins, minlength=_BINS).tolist()),
            samples_low_call_rate=tuple(self._list(rates, rates < _MIN_SAMPLE_CALL_RATE, rates)),
            samples_heterozygosity=tuple(
                self._list(heterozygosity, distance > _DEVIATIONS, -distance)
            ),
        )

    def _rates(self) -> Frequencies:
        return self._called / max(self._sites, 1)

    def _heterozygosity(self) -> Frequencies:
        return self._heterozygous / np.maximum(self._diploid, 1)

    def _list(self, values: Frequencies, chosen: Flags, order: Frequencies) -> list[SampleFacts]:
        rows = np.flatnonzero(chosen)
        rows = rows[np.argsort(order[rows], kind="stable")][:_LISTED]
        return [self._sample(row, float(values[row])) for row in rows.tolist()]

    def _sample(self, number: int, value: float) -> SampleFacts:
        name = shown(self._samples[number].encode("utf-8", "replace"))
        return SampleFacts(sample=number + 1, name=name, value=value)

    def _note_samples(
        self, rule: str, message: str, listed: Sequence[SampleFacts], count: int
    ) -> None:
        if count:
            self._findings.add(
                rule,
                message,
                count=count,
                examples=[
                    Example(
                        line=None,
                        text=f"sample {sample.sample}, {sample.name}"
                        + (f": {sample.value:,.4g}" if sample.value else ""),
                    )
                    for sample in listed
                ],
            )


def _deviations(values: Frequencies, known: Flags) -> Frequencies:
    """How many standard deviations each lies from the mean; 0 where there is too little to tell."""
    if known.sum() < _ENOUGH_SAMPLES:
        return np.zeros(len(values))
    spread = float(values[known].std())
    if not spread:
        return np.zeros(len(values))
    return np.where(known, np.abs(values - values[known].mean()) / spread, 0.0)


class _Beside:
    """Frequencies of the file and of one panel: the sums of a correlation."""

    def __init__(self, choice: PanelChoice, findings: Findings) -> None:
        self._choice = choice
        self._findings = findings
        self._tables: dict[str, SiteTable | None] = {}
        self._sums = np.zeros(5)
        self._sites = self._far = 0

    def add(
        self,
        name: str,
        positions: Numbers,
        codes: Bytes,
        frequencies: Frequencies,
        numbers: Numbers,
    ) -> None:
        if self._choice.tables is None:
            return
        if name not in self._tables:
            self._tables[name] = open_site_table(self._choice.tables, name)
        table = self._tables[name]
        if table is None:
            return
        for low in range(0, len(positions), _STEP):
            part = slice(low, low + _STEP)
            sites, matches = compare_sites(table, positions[part], codes[part])
            theirs = table.frequencies[sites].astype(np.float64)
            same = (matches == MATCHING) & ~np.isnan(theirs)
            ours, theirs = frequencies[part][same], theirs[same]
            table.release()
            products = (ours, theirs, ours * ours, theirs * theirs, ours * theirs)
            self._sums += [product.sum() for product in products]
            self._sites += len(ours)
            far = np.abs(ours - theirs) > _FAR
            if far.any():
                self._far += int(far.sum())
                at, lines = positions[part][same][far], numbers[part][same][far]
                self._note(name, at, lines, ours[far], theirs[far])

    def _note(
        self, name: str, at: Numbers, lines: Numbers, ours: Frequencies, theirs: Frequencies
    ) -> None:
        room = self._findings.room("panel-frequencies", self._choice.key)
        places = zip(lines.tolist(), at.tolist(), ours.tolist(), theirs.tolist(), strict=True)
        self._findings.add(
            "panel-frequencies",
            "Allele frequencies differ by more than 0.2 from those of the panel.",
            line=int(lines[0]),
            count=len(lines),
            examples=[
                Example(line=line, text=f"{name}:{position} {our:.3f}, panel {their:.3f}")
                for (line, position, our, their), _ in zip(places, range(room), strict=False)
            ],
            panel=self._choice.key,
        )

    def agreement(self) -> Agreement:
        count = self._sites
        x, y, xx, yy, xy = self._sums.tolist()
        variances = (count * xx - x * x) * (count * yy - y * y)
        correlation = (count * xy - x * y) / variances**0.5 if count > 2 and variances > 0 else None
        return Agreement(sites=count, correlation=correlation, far=self._far)
