"""Step 2: judge every site, write what goes on to imputation, and tell what does not.

Each file is read once, side by side with the panel's sites; chromosome X once more before, since
a man is known by all of his genotypes only. Its three regions are judged as chromosomes of their
own.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from apps.genotypes.builds import spelled
from apps.genotypes.calls import ABSENT, Calls, CallsError, missing_genotypes, parse_calls
from apps.genotypes.chromosome_x import PloidyCheck, XRegion, x_region
from apps.genotypes.job_rules import Chunk, ChunkFault, Totals, judge_chunk
from apps.genotypes.qc import PanelSite, PanelSites, VerdictKind, judge_site
from apps.genotypes.vcf import VcfError, read_header, vcf_lines
from apps.node.pipeline.chunk_files import ChunkFile, ChunkWriter
from apps.node.pipeline.events import JobFailed
from apps.node.pipeline.frequencies import Frequencies
from apps.node.pipeline.panels import Panel
from apps.node.pipeline.statistics import Site, Statistics
from apps.node.pipeline.validation import Study, StudyFile

__all__ = ["QualityControl", "run_qc"]

_X = "X"


@dataclass(kw_only=True)
class QualityControl:
    """What came out.

    Attributes:
        chunks: Those that passed.
        excluded: Those left out, and why.
        first_is_whole: Whether the first haplotype of the first sample misses no kept site.
        frequencies: None when the allele-frequency check is skipped.
        mixed_x: Whether a sample has too many `1/.` on chromosome X.
        ploidy_conflicts: How many samples are haploid and diploid on chromosome X.
    """

    totals: Totals = field(default_factory=Totals)
    chunks: list[ChunkFile] = field(default_factory=list)
    excluded: list[tuple[Chunk, ChunkFault]] = field(default_factory=list)
    first_is_whole: bool = True
    frequencies: Frequencies | None = None
    mixed_x: bool = False
    ploidy_conflicts: int = 0


class _Record(NamedTuple):
    """A line of the upload, as far as it is judged."""

    number: int
    site: Site
    flags: bytes
    calls: Calls


def run_qc(
    study: Study,
    panel: Panel,
    *,
    sites: Callable[[str], Iterator[PanelSite]],
    result: QualityControl,
    statistics: Path,
    folder: Path,
) -> None:
    """Judge all sites of all files.

    Args:
        sites: The panel's sites of a chromosome, by its plain name; of X by region, `X.nonPAR`.
        result: Filled on the way, so that it is there after a failure too.
        statistics: Folder of the tables; it is made.
        folder: Where to write the chunks' records.

    Raises:
        JobFailed: a genotype is not what the header or the alleles allow.
    """
    with Statistics(
        statistics,
        x=any(file.scan.name == _X for file in study.files),
        frequencies=result.frequencies is not None,
    ) as tables:
        for file in study.files:
            try:
                _FileQc(file, panel, sites, result, tables, folder).run()
            except VcfError as error:
                raise JobFailed(
                    f"The provided VCF file is malformed.<br>{escape(str(error))}"
                ) from error


class _FileQc:
    """The quality control of one file."""

    def __init__(
        self,
        file: StudyFile,
        panel: Panel,
        sites: Callable[[str], Iterator[PanelSite]],
        result: QualityControl,
        tables: Statistics,
        folder: Path,
    ) -> None:
        self._file = file
        self._samples = file.scan.header.samples
        self._is_x = file.scan.name == _X
        self._spelled = spelled(file.scan.name, panel.build)
        self._panel = panel
        self._sites = sites
        self._result = result
        self._tables = tables
        self._folder = folder
        self._haploid: npt.NDArray[np.bool_] = np.zeros(len(self._samples), bool)

    def run(self) -> None:
        if self._is_x:
            self._check_ploidy()
        with ExitStack() as stack:
            region = ""
            writer: ChunkWriter | None = None
            join = PanelSites(())
            position = 0
            seen: set[int] = set()  # digests, since an allele may have 64 MB
            for record in self._records():
                if (here := self._region(record.site.position)) != region:
                    if writer is not None:
                        self._judge_chunks(writer)
                    region = here
                    writer = stack.enter_context(self._writer(region))
                    join = PanelSites(self._sites(region))
                if record.site.position != position:
                    position = record.site.position
                    seen.clear()
                assert writer is not None  # noqa: S101 - made at the first record
                self._judge(record, region, join, writer, seen)
            if writer is not None:
                self._judge_chunks(writer)

    def _records(self) -> Iterator[_Record]:
        path = self._file.path
        with vcf_lines(path) as lines:
            first = read_header(path, lines).lines + 1
            for number, line in enumerate(lines, start=first):
                _, text, name, ref, alt, _, flags, _, form, cells = line.split(b"\t", 9)
                try:
                    calls = parse_calls(form, cells, len(self._samples))
                except CallsError as error:
                    raise VcfError(path, f"{error}.", line=number) from error
                site = Site(name, self._spelled.encode(), int(text), ref, alt)
                yield _Record(number, site, flags, calls)

    def _region(self, position: int) -> str:
        """Under which name a position is judged: the chromosome's, of X the region's."""
        if self._is_x:
            return x_region(position, self._panel.build).value
        return self._file.scan.name

    def _writer(self, region: str) -> ChunkWriter:
        return ChunkWriter(
            name=region,
            chromosome=self._spelled,
            samples=self._samples,
            phased=self._file.scan.phased,
            folder=self._folder,
        )

    def _judge(
        self,
        record: _Record,
        region: str,
        join: PanelSites,
        writer: ChunkWriter,
        seen: set[int],
    ) -> None:
        site, calls, result = record.site, record.calls, self._result
        alleles = hash((site.ref, site.alt))
        verdict = judge_site(
            ref=site.ref,
            alt=site.alt,
            flags=record.flags,
            calls=calls,
            panel=join.at(site.position),
            repeated=alleles in seen,
        )
        seen.add(alleles)
        result.totals.add(verdict)
        writer.judge(site.position, verdict, calls)
        if not verdict.kind.kept:
            self._tables.excluded(site, verdict.info)
            return
        if region == XRegion.NON_PAR.value:
            # Where nothing was called, `.` is written for men and women alike.
            calls = calls.copy()
            calls[self._haploid & missing_genotypes(calls), 1] = ABSENT
        self._check_alleles(record.number, calls, region)
        if verdict.kind is VerdictKind.TYPED_ONLY:
            self._tables.typed_only(site)
        result.first_is_whole &= bool(calls[0, 0] >= 0)
        writer.write(site.position, site.id, site.ref, site.alt, calls)
        if result.frequencies is not None:
            made = result.frequencies.add(self._file.scan.name, verdict, calls)
            if made is not None:
                self._tables.frequency(site, made)

    def _check_alleles(self, number: int, calls: Calls, region: str) -> None:
        if (calls > 1).any():
            reason = "A genotype names an allele that ALT does not have."
            raise VcfError(self._file.path, reason, line=number)
        if region != XRegion.NON_PAR.value and (calls == ABSENT).any():
            where = "a pseudoautosomal region of X" if self._is_x else "an autosome"
            raise VcfError(self._file.path, f"A genotype of {where} is haploid.", line=number)

    def _check_ploidy(self) -> None:
        check = PloidyCheck(len(self._samples))
        for record in self._records():
            site = record.site
            single = len(site.ref) == len(site.alt) == 1
            if single and self._region(site.position) == XRegion.NON_PAR.value:
                check.add(site.position, record.calls)
        self._haploid = check.haploid
        self._result.mixed_x = bool(check.mixed(self._panel.rules.mixed_genotypes_x))
        self._result.ploidy_conflicts = len(check.conflicts)
        for conflict in check.conflicts:
            self._tables.conflict(
                conflict, sample=self._samples[conflict.sample], chromosome=self._spelled
            )

    def _judge_chunks(self, writer: ChunkWriter) -> None:
        rules = self._panel.rules
        for chunk, path in writer.close():
            fault = judge_chunk(chunk, rules)
            if fault is None:
                made = ChunkFile(chunk=chunk, path=path, samples=self._samples)
                self._result.chunks.append(made)
                continue
            self._result.excluded.append((chunk, fault))
            self._tables.excluded_chunk(chunk, call_rate=rules.sample_call_rate)
            writer.remove(chunk)
