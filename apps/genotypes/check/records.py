"""Stage 2: every line of the file, once.

The lines come in pieces. What the lines of a real file have in common (REF and ALT are one base,
FILTER is PASS) is decided for a whole piece at once; only lines that are otherwise are looked at
one by one. A line that breaks the format is counted and left out, and the scan goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from apps.genotypes.builds import LENGTHS, spelled
from apps.genotypes.check.beside_panel import PanelTally, Snps
from apps.genotypes.check.cells import Genotypes, read_genotypes, too_few_called
from apps.genotypes.check.chromosomes import Chromosomes
from apps.genotypes.check.columns import (
    MAX_POSITION,
    read_alleles,
    read_positions,
    starts_with_gt,
)
from apps.genotypes.check.findings import Findings, shown
from apps.genotypes.check.lines import Bytes, Flags, Numbers, Records, TextLines, distinct
from apps.genotypes.check.report import Example
from apps.genotypes.check.site_classes import (
    CLASSES,
    KEPT,
    MONOMORPHIC,
    class_by_text,
    ref_is_alt,
)
from apps.genotypes.chromosome_x import XRegion
from apps.genotypes.job_rules import CHUNK_SIZE

__all__ = ["RecordScan"]

_MAY_BE_HAPLOID: Final = frozenset({XRegion.NON_PAR.value, "MT"})
# Distinct sites at one position that are remembered; no real file has as many.
_MAX_AT_POSITION: Final = 100_000


@dataclass(kw_only=True)
class RecordScan:
    """Take in the lines behind the header, piece by piece.

    Attributes:
        samples: How many the header has.
        build: Of the file: the user's choice, else what the header says; None when none does.
        version: Of VCF.
        phasing: Whether the service is asked to phase; None when that is not decided.
        records: Lines so far, and so on; `unphased` without those of mitochondria.
        chunks: Those with records that are readable: chromosome or region of X, and number.
    """

    findings: Findings
    samples: int
    build: str | None
    version: str
    phasing: bool | None
    panels: Sequence[PanelTally]
    records: int = 0
    unphased: int = 0
    first_unphased: int | None = None
    chunks: set[tuple[str, int]] = field(default_factory=set)
    chromosomes: Chromosomes = field(default_factory=Chromosomes)
    _counts: Numbers = field(default_factory=lambda: np.zeros(len(CLASSES), np.int64))
    _at_position: set[int] = field(default_factory=set)

    def add(self, lines: TextLines) -> None:
        """Take in the next lines."""
        self.records += len(lines)
        if b"\0" in lines.text:
            row = int(np.searchsorted(lines.ends, lines.text.index(b"\0")))
            self.findings.add_lines(
                "nul", "The text holds a NUL byte.", lines.numbers[row : row + 1]
            )
        if lines.returns.any():
            numbers = lines.numbers[lines.returns]
            self.findings.add_lines("line-ends", "The lines end as in Windows.", numbers)
        records, good = Records.cut(lines, self.samples)
        if not good.all():
            self._note_columns(lines.only(~good))
        if len(records):
            self._read(records)

    def variants(self) -> dict[str, int]:
        """Records by class; see `Facts.variants`."""
        names = [kind.name for kind in CLASSES]
        counts = dict(zip(names, self._counts.tolist(), strict=True))
        return {**counts, "unreadable": self.records - int(self._counts.sum())}

    def close(self) -> None:
        """Note what only the whole file tells."""
        seen = [chromosome for chromosome in self.chromosomes.all if chromosome.records]
        cut = "truncated" in self.findings or "damaged" in self.findings
        if not self.records and not cut:
            self.findings.add("records-none", "The file has no variants.")
        names = {chromosome.name for chromosome in seen if chromosome.name is not None}
        if len({chromosome.spelled for chromosome in seen}) > 1:
            self.findings.add(
                "chromosome-several",
                "The file contains more than one chromosome.",
                count=len(seen),
                examples=[
                    Example(line=None, text=f"{facts.spelled}: {facts.records:,} records")
                    for facts in (chromosome.facts() for chromosome in seen)
                ],
            )
        if "X" in names and self.version > "4.2":
            self.findings.add("version", f"Chromosome X comes as VCF {self.version}.")
        if self.first_unphased is not None and self.phasing is False:
            self.findings.add(
                "unphased",
                "Your input data is unphased. Please select an algorithm for phasing.",
                line=self.first_unphased,
                count=self.unphased,
            )

    def _note_rows(self, rule: str, message: str, records: Records, chosen: Flags) -> None:
        """Note lines that break a rule, each with its site."""
        rows = np.flatnonzero(chosen)
        if len(rows):
            texts = (_site(records, row) for row in rows.tolist())
            self.findings.add_lines(rule, message, records.lines.numbers[rows], texts)

    def _note_columns(self, bad: TextLines) -> None:
        columns = bad.columns().tolist()
        expected = self.samples + 9
        texts = [f"{count:,} columns" for count in columns[: self.findings.room("columns")]]
        message = f"The line has {columns[0]:,} columns, the header has {expected:,}."
        self.findings.add_lines("columns", message, bad.numbers, texts)

    def _read(self, records: Records) -> None:
        ids = self.chromosomes.read(records)
        positions = read_positions(records)
        no_position = (positions <= 0) | (positions > MAX_POSITION)
        self._note_rows("position", "POS is not a position.", records, no_position)
        known = [chromosome.name is not None for chromosome in self.chromosomes.all]
        strange = ~np.array(known)[ids]
        if strange.any():
            name = shown(records.field(int(strange.argmax()), 0), 20)
            message = f"Invalid chromosome found: {name}. Allowed are 1 to 22, X and MT."
            self._note_rows("chromosome-invalid", message, records, strange)
        if no_position.any():
            readable = ~no_position
            records, ids, positions = records.only(readable), ids[readable], positions[readable]
        if not len(records):
            return
        self._count_chromosomes(records, ids, positions)
        again, late = self.chromosomes.order(ids, positions)
        self._note_rows("unsorted", "Records are not in the order of positions.", records, late)
        repeated = self._find_repeated(records, again)
        strange = ~np.array(known)[ids]
        if strange.any():
            records, ids, positions = records.only(~strange), ids[~strange], positions[~strange]
            repeated = repeated[~strange]
        if len(records):
            self._judge(records, ids, positions, repeated)

    def _count_chromosomes(self, records: Records, ids: Numbers, positions: Numbers) -> None:
        for number in distinct(ids):
            chromosome = self.chromosomes.all[number]
            here = ids == number
            if not chromosome.records and chromosome.name is not None:
                self._check_prefix(chromosome.spelled, int(records.lines.numbers[here][0]))
            chromosome.count(positions[here])
            length = LENGTHS[self.build].get(chromosome.name or "") if self.build else None
            if length is not None and chromosome.last > length:
                self._note_rows(
                    "position-beyond",
                    f"Positions lie beyond the end of chromosome {chromosome.name}, "
                    f"which has {length:,} bases in {self.build}.",
                    records,
                    here & (positions > length),
                )

    def _check_prefix(self, name: bytes, line: int) -> None:
        if self.build is None or name.startswith(b"chr") is (self.build == "hg38"):
            return
        text = shown(name, 20)
        wanted = spelled(text.removeprefix("chr"), self.build)
        self.findings.add(
            "chromosome-prefix",
            f"Your upload data contains chromosome '{text}'. This is not a valid {self.build} "
            f"encoding: {self.build} writes '{wanted}'.",
            line=line,
            examples=[Example(line=line, text=text)],
        )

    def _find_repeated(self, records: Records, again: Flags) -> Flags:
        """Lines whose position, REF and ALT came before; `again`: at the position before."""
        repeated = np.zeros(len(records), bool)
        followed = np.concatenate((again[1:], [True]))
        for row in np.flatnonzero(again | followed).tolist():
            if not again[row]:
                self._at_position.clear()
            alleles = hash((records.field(row, 3), records.field(row, 4)))
            repeated[row] = alleles in self._at_position
            if len(self._at_position) < _MAX_AT_POSITION:
                self._at_position.add(alleles)
        return repeated

    def _judge(self, records: Records, ids: Numbers, positions: Numbers, repeated: Flags) -> None:
        alleles = read_alleles(records)
        classes = class_by_text(records, alleles, repeated)
        no_gt = ~starts_with_gt(records)
        self._note_rows("format-gt", "FORMAT does not start with GT.", records, no_gt)
        same = ref_is_alt(records, alleles)
        self._note_rows("ref-is-alt", "REF and ALT are the same.", records, same)
        codes = alleles.codes
        if no_gt.any():
            records, ids, positions = records.only(~no_gt), ids[~no_gt], positions[~no_gt]
            classes, codes, same = classes[~no_gt], codes[~no_gt], same[~no_gt]
        if not len(records):
            return
        genotypes = read_genotypes(records, self.samples)
        readable = ~same
        if genotypes.malformed:
            bad = np.zeros(len(records), bool)
            bad[list(genotypes.malformed)] = True
            texts = (genotypes.malformed[row] for row in np.flatnonzero(bad).tolist())
            first = genotypes.malformed[int(bad.argmax())]
            self.findings.add_lines("genotype", first, records.lines.numbers[bad], texts)
            readable &= ~bad
        self._check_phase(records, ids, genotypes)
        classes[(classes == KEPT) & ~genotypes.any_carried & (self.samples > 1)] = MONOMORPHIC
        classes[~readable] = len(CLASSES)
        self._count(records, classes)
        kept = classes == KEPT
        places = self.chromosomes.places(ids, positions, self.build or "hg38")
        self._check_alleles(records, places, kept, genotypes)
        for place in distinct(places):
            here = places == place
            name = self.chromosomes.place_name(place)
            chunks = distinct((positions[here] - 1) // CHUNK_SIZE)
            self.chunks.update((name, number) for number in chunks)
            self._compare(name, kept & here, records, positions, codes, genotypes)

    def _check_phase(self, records: Records, ids: Numbers, genotypes: Genotypes) -> None:
        slash = genotypes.any_slash.copy()
        longer = records.tabs[:, 8] - records.tabs[:, 7] > 3
        longer[list(genotypes.malformed)] = False
        if longer.any() and b"/" in records.lines.text:
            # In other fields than GT a slash counts too.
            text, ends = records.lines.text, records.lines.ends
            for row in np.flatnonzero(longer & ~slash).tolist():
                slash[row] = text.find(b"/", int(records.tabs[row, 8]), int(ends[row])) >= 0
        for number, chromosome in enumerate(self.chromosomes.all):
            if chromosome.name == "MT":
                slash &= ids != number
        if slash.any():
            self.unphased += int(slash.sum())
            if self.first_unphased is None:
                self.first_unphased = int(records.lines.numbers[slash.argmax()])

    def _count(self, records: Records, classes: Bytes) -> None:
        counts = np.bincount(classes, minlength=len(CLASSES) + 1)[:-1]
        self._counts += counts
        for number in np.flatnonzero(counts).tolist():
            kind = CLASSES[number]
            if kind.rule:
                self._note_rows(kind.rule, kind.message, records, classes == number)

    def _check_alleles(
        self, records: Records, places: Numbers, kept: Flags, genotypes: Genotypes
    ) -> None:
        many = kept & genotypes.any_many
        message = "A genotype names an allele that ALT does not have."
        self._note_rows("genotype-allele", message, records, many)
        haploid = kept & genotypes.any_haploid
        for place in distinct(places[haploid]):
            if self.chromosomes.place_name(place) not in _MAY_BE_HAPLOID:
                message = "A genotype is haploid, outside of chromosome X nonPAR and MT."
                self._note_rows("genotype-haploid", message, records, haploid & (places == place))

    def _compare(
        self,
        name: str,
        chosen: Flags,
        records: Records,
        positions: Numbers,
        codes: Bytes,
        genotypes: Genotypes,
    ) -> None:
        if not self.panels or not chosen.any():
            return
        with_missing = chosen & genotypes.any_missing
        missing = genotypes.missing_at(with_missing)
        low = np.zeros(len(chosen), bool)
        low[with_missing] = too_few_called(missing)
        snps = Snps(
            name=name,
            positions=positions[chosen],
            codes=codes[chosen],
            numbers=records.lines.numbers[chosen],
            low=low[chosen],
            missing=missing,
            with_missing=with_missing[chosen],
        )
        for panel in self.panels:
            panel.add(snps)


def _site(records: Records, row: int) -> str:
    chromosome, position, ref, alt = (records.field(row, at) for at in (0, 1, 3, 4))
    site = f"{shown(chromosome, 20)}:{shown(position, 12)}"
    return f"{site} {shown(ref, 20)}/{shown(alt, 20)}"
