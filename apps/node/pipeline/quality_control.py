"""Step 2: judge every site, write what goes on to imputation, and tell what does not.

Each file is read once, side by side with the panel's sites. Kept records go to the file of their
chunk, and to those of the neighbours within 5 Mb, which phasing needs. Statistics are written on
the way, so that they are there whatever happens.
"""

import heapq
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from apps.genotypes.bgzf import BgzfWriter
from apps.genotypes.builds import spelled
from apps.genotypes.calls import ABSENT, Calls, CallsError, format_calls, parse_calls
from apps.genotypes.job_rules import CHUNK_SIZE, Chunk, ChunkFault, Totals, judge_chunk
from apps.genotypes.qc import (
    AlleleMatch,
    PanelSite,
    PanelSites,
    Verdict,
    VerdictKind,
    chi_square,
    judge_site,
)
from apps.genotypes.tabix import TabixIndex
from apps.genotypes.vcf import VcfError, read_header, vcf_lines
from apps.node.pipeline.events import JobFailed
from apps.node.pipeline.panels import Panel
from apps.node.pipeline.validation import Study, StudyFile

__all__ = ["STATISTICS", "ChunkFile", "Frequencies", "Outlier", "QualityControl", "run_qc"]

WINDOW = 5_000_000
STATISTICS = ("snps-excluded.txt", "snps-typed-only.txt", "chunks-excluded.txt")

_ID = re.compile(rb"[^\x00-\x20\x7f]+")
_BINS = 50
_OUTLIERS = 50
# Above it a site's frequency differs from the panel's more than people of one origin do.
OUTLIER_CHI_SQUARE = 300.0


@dataclass(frozen=True, kw_only=True)
class ChunkFile:
    """A chunk that passed, and its records (BGZF with a .tbi, only GT)."""

    chunk: Chunk
    path: Path
    samples: tuple[str, ...]


class Outlier(NamedTuple):
    """A site whose frequency is far from the panel's."""

    chi_square: float
    position: int
    text: str
    frequency: float
    panel_frequency: float


@dataclass(kw_only=True)
class Frequencies:
    """ALT frequencies of study and panel at the sites of both, in constant memory.

    Attributes:
        counts: Sites by bin of the study's (rows) and of the panel's frequency, from 0 to 1.
        outliers: The farthest ones; a heap.
        above: How many sites lie above `OUTLIER_CHI_SQUARE`.
    """

    panel_alleles: int
    counts: npt.NDArray[np.int64] = field(
        default_factory=lambda: np.zeros((_BINS, _BINS), np.int64)
    )
    outliers: list[Outlier] = field(default_factory=list)
    above: int = 0

    def add(self, chromosome: str, site: PanelSite, frequency: float, alleles: int) -> None:
        row, column = (min(int(f * _BINS), _BINS - 1) for f in (frequency, site.frequency))
        self.counts[row, column] += 1
        distance = chi_square(frequency, alleles, site.frequency, self.panel_alleles)
        if distance <= OUTLIER_CHI_SQUARE:
            return
        self.above += 1
        text = f"{chromosome}:{site.position}:{site.ref.decode()}:{site.alt.decode()}"
        outlier = Outlier(distance, site.position, text, frequency, site.frequency)
        if len(self.outliers) < _OUTLIERS:
            heapq.heappush(self.outliers, outlier)
        else:
            heapq.heappushpop(self.outliers, outlier)


@dataclass(kw_only=True)
class QualityControl:
    """What came out.

    Attributes:
        chunks: Those that passed.
        excluded: Those left out, and why.
        first_is_whole: Whether the first haplotype of the first sample misses no kept site.
        frequencies: None when the allele-frequency check is skipped.
    """

    totals: Totals = field(default_factory=Totals)
    chunks: list[ChunkFile] = field(default_factory=list)
    excluded: list[tuple[Chunk, ChunkFault]] = field(default_factory=list)
    first_is_whole: bool = True
    frequencies: Frequencies | None = None


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
        sites: The panel's sites of a chromosome, by its plain name.
        result: Filled on the way, so that it is there after a failure too.
        statistics: Folder of the three tables of `STATISTICS`; it is made.
        folder: Where to write the chunks' records.

    Raises:
        JobFailed: a genotype is not what the header or the alleles allow.
    """
    statistics.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        tables = {name: stack.enter_context((statistics / name).open("wb")) for name in STATISTICS}
        tables["snps-excluded.txt"].write(b"#ID\tCHROM\tPOS\tREF\tALT\tINFO\n")
        tables["snps-typed-only.txt"].write(b"#ID\tCHROM\tPOS\tREF\tALT\n")
        tables["chunks-excluded.txt"].write(
            b"#CHUNK\tSNPS\tREFERENCE_OVERLAP\tSAMPLES_LOW_CALL_RATE\n"
        )
        for file in study.files:
            writer = stack.enter_context(_ChunkWriter(file, panel, folder))
            try:
                _judge_file(file, PanelSites(sites(file.scan.name)), writer, result, tables)
            except VcfError as error:
                raise JobFailed(
                    f"The provided VCF file is malformed.<br>{escape(str(error))}"
                ) from error
            _judge_chunks(writer, panel, result, tables["chunks-excluded.txt"])


def _judge_file(
    file: StudyFile,
    panel: PanelSites,
    writer: "_ChunkWriter",
    result: QualityControl,
    tables: Mapping[str, BinaryIO],
) -> None:
    samples = len(file.scan.header.samples)
    last = 0
    seen: set[int] = set()  # digests, since an allele may have 64 MB
    with vcf_lines(file.path) as lines:
        first = read_header(file.path, lines).lines + 1
        for number, line in enumerate(lines, start=first):
            chromosome, text, name, ref, alt, _, flags, _, form, cells = line.split(b"\t", 9)
            position = int(text)
            if position != last:
                last = position
                seen.clear()
            try:
                calls = parse_calls(form, cells, samples)
            except CallsError as error:
                raise VcfError(file.path, f"{error}.", line=number) from error
            verdict = judge_site(
                ref=ref,
                alt=alt,
                flags=flags,
                calls=calls,
                panel=panel.at(position),
                repeated=hash((ref, alt)) in seen,
            )
            seen.add(hash((ref, alt)))
            result.totals.add(verdict, ref=ref, alt=alt)
            site_id = b":".join([chromosome, text, ref, alt])
            columns = b"\t".join([site_id, chromosome, text, ref, alt])
            if not verdict.kind.kept:
                tables["snps-excluded.txt"].write(columns + b"\t" + verdict.info.encode() + b"\n")
                continue
            _check_calls(file.path, number, calls)
            if verdict.kind is VerdictKind.TYPED_ONLY:
                tables["snps-typed-only.txt"].write(columns + b"\n")
            writer.add(position, name, ref, alt, verdict, calls)
            _compare_frequency(result.frequencies, file.scan.name, verdict, calls)


def _check_calls(path: Path, number: int, calls: Calls) -> None:
    if (calls == ABSENT).any():
        raise VcfError(path, "A genotype of an autosome is haploid.", line=number)
    if (calls > 1).any():
        raise VcfError(path, "A genotype names an allele that ALT does not have.", line=number)


def _compare_frequency(
    frequencies: Frequencies | None, chromosome: str, verdict: Verdict, calls: Calls
) -> None:
    if (
        frequencies is not None
        and verdict.match is AlleleMatch.SAME
        and verdict.site is not None
        and verdict.alt_frequency is not None
    ):
        called = int((calls >= 0).sum())
        frequencies.add(chromosome, verdict.site, verdict.alt_frequency, called)


def _judge_chunks(
    writer: "_ChunkWriter", panel: Panel, result: QualityControl, table: BinaryIO
) -> None:
    for chunk, path in writer.close():
        result.first_is_whole &= bool(chunk.called[0] == chunk.sites)
        fault = judge_chunk(chunk, panel.rules)
        if fault is None:
            result.chunks.append(ChunkFile(chunk=chunk, path=path, samples=writer.samples))
            continue
        result.excluded.append((chunk, fault))
        low = chunk.samples_below(panel.rules.sample_call_rate)
        table.write(f"{chunk.name}\t{chunk.sites}\t{chunk.overlap:.6g}\t{low}\n".encode())
        path.unlink(missing_ok=True)


class _ChunkWriter:
    """Write the kept records of one chromosome to the files of their chunks."""

    def __init__(self, file: StudyFile, panel: Panel, folder: Path) -> None:
        self.samples = file.scan.header.samples
        self._name = file.scan.name
        self._spelled = spelled(file.scan.name, panel.build).encode()
        self._folder = folder
        self._chunks = {
            number: Chunk(chromosome=file.scan.name, number=number, samples=len(self.samples))
            for number in file.chunks
        }
        self._open: dict[int, tuple[BgzfWriter, TabixIndex]] = {}

    def __enter__(self) -> "_ChunkWriter":
        return self

    def __exit__(self, *_: object) -> None:
        for number in list(self._open):
            self._finish(number)

    def add(
        self, position: int, name: bytes, ref: bytes, alt: bytes, verdict: Verdict, calls: Calls
    ) -> None:
        """Add a kept record; an ID with blanks, or none, becomes `.`, since minimac4 ends at it."""
        number = (position - 1) // CHUNK_SIZE
        self._chunks[number].add(verdict, calls)
        line = b"\t".join(
            [
                self._spelled,
                b"%d" % position,
                name if _ID.fullmatch(name) else b".",
                ref,
                alt,
                b".\tPASS\t.\tGT",
                format_calls(calls, phased=True),
            ]
        )
        within = (position - 1) % CHUNK_SIZE
        for other in (number - 1, number, number + 1):
            if (
                other not in self._chunks
                or (other < number and within >= WINDOW)
                or (other > number and within < CHUNK_SIZE - WINDOW)
            ):
                continue
            out, index = self._open.get(other) or self._start(other)
            start = out.tell()
            out.write(line + b"\n")
            index.add(self._spelled, position, len(ref), start, out.tell())
        for old in [n for n in self._open if n < number - 1]:
            self._finish(old)

    def close(self) -> list[tuple[Chunk, Path]]:
        """Finish all files; the chunks in order, also those without a record."""
        for number in list(self._open):
            self._finish(number)
        return [(chunk, self._path(number)) for number, chunk in sorted(self._chunks.items())]

    def _path(self, number: int) -> Path:
        return self._folder / f"{self._chunks[number].name}.vcf.gz"

    def _start(self, number: int) -> tuple[BgzfWriter, TabixIndex]:
        out = BgzfWriter(self._path(number), level=1)
        columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"]
        out.write(
            b"##fileformat=VCFv4.2\n"
            b"##contig=<ID=" + self._spelled + b">\n"
            b'##FILTER=<ID=PASS,Description="All filters passed">\n'
            b'##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
            + "\t".join([*columns, *self.samples]).encode()
            + b"\n"
        )
        self._open[number] = out, TabixIndex()
        return self._open[number]

    def _finish(self, number: int) -> None:
        out, index = self._open.pop(number)
        out.close()
        path = self._path(number)
        index.write(path.with_name(path.name + ".tbi"))
