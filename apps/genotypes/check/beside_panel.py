"""The file beside one panel: what its sites are to the panel, chunk by chunk.

The join with the panel's table and the counting go over whole pieces of the file as arrays; what
the counts mean is judged by the functions with which a node judges a job.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from apps.genotypes.check.chunks import ChunkTally
from apps.genotypes.check.findings import Findings
from apps.genotypes.check.lines import Bytes, Flags, Numbers
from apps.genotypes.check.matching import BASES, MATCHES, MATCHING, TYPED_ONLY, compare_sites
from apps.genotypes.check.report import Accepted, Example, PanelReport
from apps.genotypes.job_rules import Totals, check_totals
from apps.genotypes.qc import AlleleMatch, VerdictKind
from apps.genotypes.rules import PanelRules
from apps.genotypes.sites import SiteTable, open_site_table, read_site_manifest

__all__ = ["PanelChoice", "PanelTally", "Snps"]

# Lookups between which the table's pages are given back.
_STEP: Final = 1024
_AMBIGUOUS: Final = MATCHES.index(AlleleMatch.AMBIGUOUS)
_FINDINGS: Final[Mapping[AlleleMatch, tuple[str, str]]] = {
    AlleleMatch.FLIP: ("panel-flips", "Sites are on the other strand than the panel's."),
    AlleleMatch.FLIP_AND_SWITCH: (
        "panel-flips",
        "Sites are on the other strand than the panel's, with REF and ALT swapped.",
    ),
    AlleleMatch.SWITCH: ("panel-switches", "Sites have REF and ALT the other way round."),
    AlleleMatch.MISMATCH: ("panel-mismatches", "Sites have other alleles than the panel's."),
}
_EXCLUDED: Final[Mapping[AlleleMatch, VerdictKind]] = {
    AlleleMatch.FLIP: VerdictKind.STRAND_FLIP,
    AlleleMatch.FLIP_AND_SWITCH: VerdictKind.STRAND_FLIP_AND_ALLELE_SWITCH,
    AlleleMatch.SWITCH: VerdictKind.ALLELE_SWITCH,
    AlleleMatch.MISMATCH: VerdictKind.ALLELE_MISMATCH,
}


@dataclass(frozen=True, kw_only=True)
class PanelChoice:
    """A panel that the file is to be compared with.

    Attributes:
        tables: Folder of its sites; None when they are not known.
        build: Of the panel; None leaves it to the tables.
    """

    key: str
    tables: Path | None
    build: str | None = None
    rules: PanelRules = field(default_factory=PanelRules)


@dataclass(frozen=True, kw_only=True, eq=False)
class Snps:
    """SNPs of one chromosome that no rule of the file alone leaves out.

    Attributes:
        name: Of the chromosome, without `chr`; of X the region, `X.nonPAR`.
        positions, codes, numbers: Of each line: POS, the alleles as `snp_code`, its number.
        low: Lines with more missing genotypes than a service takes.
        missing: Lines with a missing allele: whether a genotype is missing, shape
            (those lines, samples).
        with_missing: Which lines these are.
    """

    name: str
    positions: Numbers
    codes: Bytes
    numbers: Numbers
    low: Flags
    missing: Flags
    with_missing: Flags


class PanelTally:
    """Count what the sites of a file are to a panel.

    Raises:
        SitesError: the tables are broken.
    """

    def __init__(
        self, choice: PanelChoice, *, samples: int, build: str | None, findings: Findings
    ) -> None:
        self._choice = choice
        self._findings = findings
        manifest = read_site_manifest(choice.tables) if choice.tables is not None else None
        self.known = manifest is not None
        self.build = choice.build or (manifest.build if manifest else None)
        self._same_build = None in {build, self.build} or build == self.build
        self._totals = Totals()
        self._tables: dict[str, SiteTable | None] = {}
        self._lacking: set[str] = set()
        self._chunks = ChunkTally(samples=samples, rules=choice.rules)
        if not self.known:
            findings.add(
                "panel-sites", "The sites of this panel are not known here.", panel=choice.key
            )
        elif not self._same_build:
            findings.add(
                "panel-build",
                f"The panel is of {self.build}, the file of {build}.",
                panel=choice.key,
            )

    def add(self, snps: Snps) -> None:
        """Compare some lines, in the order of the file."""
        if not self.known or not self._same_build or not len(snps.positions):
            return
        table = self._table(snps.name.partition(".")[0])
        if table is None:
            return
        for low in range(0, len(snps.positions), _STEP):
            self._add_some(table, snps, slice(low, low + _STEP))

    def _table(self, name: str) -> SiteTable | None:
        if name not in self._tables:
            assert self._choice.tables is not None  # noqa: S101 - the panel is known
            for table in self._tables.values():
                if table is not None:
                    table.release()
            self._tables[name] = open_site_table(self._choice.tables, name)
            if self._tables[name] is None:
                self._lacking.add(name)
                self._findings.add(
                    "panel-chromosome",
                    f"The panel has no chromosome {name}.",
                    panel=self._choice.key,
                )
        return self._tables[name]

    def _add_some(self, table: SiteTable, snps: Snps, part: slice) -> None:
        positions, codes = snps.positions[part], snps.codes[part]
        sites, matches = compare_sites(table, positions, codes)
        in_panel = (matches == MATCHING) | (matches == _AMBIGUOUS)
        low = in_panel & snps.low[part]
        self._count(matches, low)
        self._note(table, snps, part, sites, matches)
        with_missing = snps.with_missing[part]
        before = int(snps.with_missing[: part.start].sum())
        self._chunks.add(
            snps.name,
            positions,
            typed_only=matches == TYPED_ONLY,
            kept=in_panel & ~low,
            missing=snps.missing[before : before + int(with_missing.sum())],
            with_missing=with_missing,
        )
        if low.any():
            number = snps.numbers[part]
            self._findings.add(
                "panel-call-rate",
                "Sites have more than 10 % of their genotypes missing.",
                line=int(number[low][0]),
                count=int(low.sum()),
                examples=[
                    Example(line=int(number[row]), text=f"{snps.name}:{positions[row]}")
                    for row in np.flatnonzero(low)[: self._room("panel-call-rate")].tolist()
                ],
                panel=self._choice.key,
            )
        table.release()

    def _count(self, matches: Bytes, low: Flags) -> None:
        counts = np.bincount(matches, minlength=TYPED_ONLY + 1).tolist()
        left_out = int(low.sum())
        totals, kinds = self._totals, self._totals.kinds
        kinds[VerdictKind.TYPED_ONLY] += counts[TYPED_ONLY]
        totals.found += sum(counts[:TYPED_ONLY])
        totals.matching += counts[MATCHING]
        totals.palindromic += counts[_AMBIGUOUS]
        for match, kind in _EXCLUDED.items():
            kinds[kind] += counts[MATCHES.index(match)]
        kinds[VerdictKind.LOW_CALL_RATE] += left_out
        kinds[VerdictKind.IN_PANEL] += counts[MATCHING] + counts[_AMBIGUOUS] - left_out

    def _room(self, rule: str) -> int:
        return self._findings.room(rule, self._choice.key)

    def _note(
        self, table: SiteTable, snps: Snps, part: slice, sites: Numbers, matches: Bytes
    ) -> None:
        positions, codes, numbers = snps.positions[part], snps.codes[part], snps.numbers[part]
        for match, (rule, message) in _FINDINGS.items():
            rows = np.flatnonzero(matches == MATCHES.index(match))
            if not len(rows):
                continue
            examples = []
            for row in rows[: self._room(rule)].tolist():
                site = table.site(int(sites[row]))
                ours = "/".join(BASES[base].decode() for base in divmod(int(codes[row]), 4))
                theirs = b"/".join([site.ref[:20], site.alt[:20]]).decode("ascii", "replace")
                text = f"{snps.name}:{positions[row]} {ours}, panel {theirs}"
                examples.append(Example(line=int(numbers[row]), text=text))
            self._findings.add(
                rule,
                message,
                line=int(numbers[rows[0]]),
                count=len(rows),
                examples=examples,
                panel=self._choice.key,
            )

    def report(
        self, chunks: Iterable[tuple[str, int]], refused: Sequence[str], *, complete: bool
    ) -> PanelReport:
        """Judge the file.

        Args:
            chunks: Those that have records, by name of the chromosome, or region of X, and number.
            refused: Why any service refuses the file, as sentences.
            complete: Whether all of the file was compared.
        """
        key, rules = self._choice.key, self._choice.rules
        if not self.known or not self._same_build:
            reason = (
                "The panel is of another build than the file."
                if self.known
                else "The sites of this panel are not known here."
            )
            return PanelReport(
                key=key,
                known=self.known,
                build=self.build,
                accepted=Accepted.NO if refused else Accepted.UNKNOWN,
                reasons=(*refused, reason),
            )
        self._chunks.add_empty(
            (name, number) for name, number in chunks if name.partition(".")[0] not in self._lacking
        )
        judged = self._chunks.close()
        kept = sum(chunk.fault is None for chunk in judged)
        reasons = [*refused]
        reasons += [
            f"Chromosome {name} cannot be imputed: the panel lacks it."
            for name in sorted(self._lacking)
        ]
        if complete:
            limits = list(check_totals(self._totals, kept, rules))
            reasons += limits
            for reason in limits:
                self._findings.add("panel-refused", reason, panel=key)
        if kept < len(judged):
            self._findings.add(
                "panel-chunks",
                f"{len(judged) - kept} of {len(judged)} chunks are left out.",
                count=len(judged) - kept,
                examples=[
                    Example(line=None, text=f"{chunk.name}: {chunk.fault}")
                    for chunk in judged
                    if chunk.fault is not None
                ][: self._room("panel-chunks")],
                panel=key,
            )
        accepted = Accepted.NO if reasons else Accepted.YES if complete else Accepted.UNKNOWN
        totals, kinds = self._totals, self._totals.kinds
        both = kinds[VerdictKind.STRAND_FLIP_AND_ALLELE_SWITCH]
        compared = totals.found + kinds[VerdictKind.TYPED_ONLY]
        return PanelReport(
            key=key,
            known=True,
            build=self.build,
            overlap=totals.overlap if compared else None,
            matches=totals.matching,
            palindromic=totals.palindromic,
            strand_flips=totals.strand_flips - both,
            allele_switches=totals.allele_switches - both,
            both=both,
            mismatches=kinds[VerdictKind.ALLELE_MISMATCH],
            typed_only=kinds[VerdictKind.TYPED_ONLY],
            low_call_rate=kinds[VerdictKind.LOW_CALL_RATE],
            chunks_kept=kept,
            chunks_excluded=len(judged) - kept,
            chunks=judged,
            accepted=accepted,
            reasons=tuple(reasons),
        )
