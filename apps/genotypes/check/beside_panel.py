"""The file beside one panel: what its sites are to the panel, chunk by chunk.

The join with the panel's table and the counting go over whole pieces of the file as arrays; what
the counts mean is judged by the functions with which a node judges a job.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from apps.genotypes.check.findings import Findings
from apps.genotypes.check.lines import Bytes, Flags, Numbers
from apps.genotypes.check.report import Accepted, ChunkReport, Example, PanelReport
from apps.genotypes.job_rules import CHUNK_SIZE, Chunk, Totals, check_totals, judge_chunk
from apps.genotypes.qc import AlleleMatch, VerdictKind, compare_alleles
from apps.genotypes.rules import PanelRules
from apps.genotypes.sites import NO_SNP, SiteTable, open_site_table, read_site_manifest

__all__ = ["MATCHING", "PanelChoice", "PanelTally", "Snps", "compare_sites"]

_BASES: Final = (b"A", b"C", b"G", b"T")
_MATCHES: Final = tuple(AlleleMatch)
_MISMATCH: Final = _MATCHES.index(AlleleMatch.MISMATCH)
MATCHING: Final = _MATCHES.index(AlleleMatch.SAME)
_KEPT: Final = (MATCHING, _MATCHES.index(AlleleMatch.AMBIGUOUS))
_TYPED_ONLY: Final = len(_MATCHES)
# Lookups between which the table's pages are given back.
_STEP: Final = 1024
_MOST_MISSING: Final = 0.1


def _match_table() -> Bytes:
    """`AlleleMatch` by our code and the panel's, by the rule that judges one site."""
    table = np.full((NO_SNP, NO_SNP + 1), _MISMATCH, np.uint8)
    for ours in range(NO_SNP):
        for theirs in range(NO_SNP):
            match = compare_alleles(
                _BASES[ours // 4], _BASES[ours % 4], _BASES[theirs // 4], _BASES[theirs % 4]
            )
            table[ours, theirs] = _MATCHES.index(match)
    return table


_TABLE: Final = _match_table()

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
        missing: Lines with a missing allele: whether a genotype is missing, shape
            (those lines, samples).
        with_missing: Which lines these are.
    """

    name: str
    positions: Numbers
    codes: Bytes
    numbers: Numbers
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
        self._samples = samples
        self._findings = findings
        manifest = read_site_manifest(choice.tables) if choice.tables is not None else None
        self.known = manifest is not None
        self.build = choice.build or (manifest.build if manifest else None)
        self._same_build = None in {build, self.build} or build == self.build
        self._totals = Totals()
        self._tables: dict[str, SiteTable | None] = {}
        self._lacking: set[str] = set()
        self._open: dict[tuple[str, int], Chunk] = {}
        self._closed: dict[tuple[str, int], ChunkReport] = {}
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
        with_missing = snps.with_missing[part]
        before = int(snps.with_missing[: part.start].sum())
        missing = snps.missing[before : before + int(with_missing.sum())]
        low = np.zeros(len(positions), bool)
        low[with_missing] = missing.mean(axis=1) > _MOST_MISSING if missing.size else False
        in_panel = np.isin(matches, _KEPT)
        low &= in_panel
        self._count(matches, low)
        self._note(table, snps, part, sites, matches)
        self._count_chunks(snps.name, positions, matches, in_panel & ~low, with_missing, missing)
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
        counts = np.bincount(matches, minlength=_TYPED_ONLY + 1).tolist()
        totals, kinds = self._totals, self._totals.kinds
        kinds[VerdictKind.TYPED_ONLY] += counts[_TYPED_ONLY]
        totals.found += sum(counts[:_TYPED_ONLY])
        totals.matching += counts[_KEPT[0]]
        totals.palindromic += counts[_KEPT[1]]
        for match, kind in _EXCLUDED.items():
            kinds[kind] += counts[_MATCHES.index(match)]
        kinds[VerdictKind.LOW_CALL_RATE] += int(low.sum())
        kinds[VerdictKind.IN_PANEL] += sum(counts[match] for match in _KEPT) - int(low.sum())

    def _room(self, rule: str) -> int:
        return self._findings.room(rule, self._choice.key)

    def _note(
        self, table: SiteTable, snps: Snps, part: slice, sites: Numbers, matches: Bytes
    ) -> None:
        positions, codes, numbers = snps.positions[part], snps.codes[part], snps.numbers[part]
        for match, (rule, message) in _FINDINGS.items():
            rows = np.flatnonzero(matches == _MATCHES.index(match))
            if not len(rows):
                continue
            examples = []
            for row in rows[: self._room(rule)].tolist():
                site = table.site(int(sites[row]))
                ours = "/".join(_BASES[base].decode() for base in divmod(int(codes[row]), 4))
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

    def _count_chunks(
        self,
        name: str,
        positions: Numbers,
        matches: Bytes,
        kept: Flags,
        with_missing: Flags,
        missing: Flags,
    ) -> None:
        chunks = (positions - 1) // CHUNK_SIZE
        for number in np.unique(chunks).tolist():
            here = chunks == number
            chunk = self._chunk(name, number)
            typed_only = int((here & (matches == _TYPED_ONLY)).sum())
            chunk.typed_only += typed_only
            chunk.found += int(here.sum()) - typed_only
            counted = here & kept
            chunk.sites += int(counted.sum())
            chunk.called += int(counted.sum())
            if missing.size:
                chunk.called -= missing[counted[with_missing]].sum(axis=0)

    def _chunk(self, name: str, number: int) -> Chunk:
        """The open chunk of that number; the others are judged, since they hold a number a sample.

        In a sorted file none is opened twice. In another one its samples start anew, which only
        makes their call rates look better: the file is refused for its order already.
        """
        key = (name, number)
        if key not in self._open:
            self._close_chunks()
            chunk = Chunk(chromosome=name, number=number, samples=self._samples)
            if (before := self._closed.pop(key, None)) is not None:
                chunk.found, chunk.sites = before.found, before.sites
                chunk.typed_only = before.compared - before.found
                chunk.called += before.sites
            self._open[key] = chunk
        return self._open[key]

    def _close_chunks(self) -> None:
        rules = self._choice.rules
        for key, chunk in self._open.items():
            fault = judge_chunk(chunk, rules)
            self._closed[key] = ChunkReport(
                name=chunk.name,
                compared=chunk.found + chunk.typed_only,
                found=chunk.found,
                sites=chunk.sites,
                samples_low_call_rate=chunk.samples_below(rules.sample_call_rate),
                fault=fault.value if fault else None,
            )
        self._open.clear()

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
        self._close_chunks()
        self._add_empty_chunks(chunks)
        judged = [self._closed[key] for key in sorted(self._closed)]
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
            chunks=tuple(judged),
            accepted=accepted,
            reasons=tuple(reasons),
        )

    def _add_empty_chunks(self, chunks: Iterable[tuple[str, int]]) -> None:
        """A service also judges the chunks in which nothing is left to compare."""
        for name, number in chunks:
            if (name, number) not in self._closed and name.partition(".")[0] not in self._lacking:
                self._chunk(name, number)
                self._close_chunks()


def compare_sites(table: SiteTable, positions: Numbers, codes: Bytes) -> tuple[Numbers, Bytes]:
    """Find the panel's site for each of ours, and how their alleles stand to each other.

    Where the panel has several sites at a position, the one of the same alleles is taken, else the
    last.

    Returns:
        Numbers of the panel's sites (of no meaning for typed-only ones), and how they match:
        `MATCHING` for the same alleles, else the index of their `AlleleMatch`, or one more.
    """
    low = np.searchsorted(table.positions, positions.astype(np.int32))
    # The next position would end the run; runs of more than one site are rare.
    last = np.minimum(low, len(table) - 1)
    typed_only = table.positions[last] != positions
    same = table.codes[last] == codes
    step = 1
    open_ = ~typed_only
    sites = last.copy()
    while open_.any():
        nxt = np.minimum(low + step, len(table) - 1)
        open_ &= (low + step < len(table)) & (table.positions[nxt] == positions)
        take = open_ & ~same
        sites[take] = nxt[take]
        same |= take & (table.codes[nxt] == codes)
        step += 1
    matches = _TABLE[codes, table.codes[sites]]
    matches[typed_only] = _TYPED_ONLY
    return sites, matches
