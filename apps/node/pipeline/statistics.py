"""The tables of `statistics/`: what was left out and why, and the frequencies of what was kept.

Names and columns are those of imputationserver2 2.0.12. A table is written on the way, so that it
is there whatever becomes of the job; one without rows has its header.
"""

import math
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

from apps.genotypes.chromosome_x import PloidyConflict
from apps.genotypes.job_rules import Chunk
from apps.node.pipeline.frequencies import Comparison

__all__ = ["STATISTICS", "Site", "Statistics"]

STATISTICS = (
    "snps-excluded.txt",
    "snps-typed-only.txt",
    "chunks-excluded.txt",
    "chrX-info.txt",
    "maf.txt",
)

_SITE = ("ID", "CHROM", "POS", "REF", "ALT")
_HEADERS = dict(
    zip(
        STATISTICS,
        (
            (*_SITE, "INFO"),
            _SITE,
            ("CHUNK", "SNPS", "REFERENCE_OVERLAP", "SAMPLES_LOW_CALL_RATE"),
            ("SAMPLE", "POSITION"),
            (
                *_SITE,
                *("AAF", "REFERENCE_REF", "REFERENCE_ALT", "REFERENCE_AAF"),
                *("CHISQ", "OVERLAP_WITH_REFERENCE", "TYPE"),
            ),
        ),
        strict=True,
    )
)


class Site(NamedTuple):
    """The first columns of a record, CHROM spelled as its build does."""

    id: bytes
    chromosome: bytes
    position: int
    ref: bytes
    alt: bytes

    @property
    def columns(self) -> list[bytes]:
        """As text that any reader takes: what is not UTF-8 is replaced."""
        texts = [self.id, self.chromosome, b"%d" % self.position, self.ref, self.alt]
        return [text.decode("utf-8", "replace").encode() for text in texts]


class Statistics:
    """Write the tables below a folder; a context manager.

    Args:
        folder: It is made.
        x: Whether there is a chromosome X, which has a table of its own.
        frequencies: Whether frequencies are compared.
    """

    def __init__(self, folder: Path, *, x: bool, frequencies: bool) -> None:
        left_out = {"chrX-info.txt": not x, "maf.txt": not frequencies}
        folder.mkdir(parents=True, exist_ok=True)
        self._open = ExitStack()
        self._tables: dict[str, BinaryIO] = {}
        for name in STATISTICS:
            if not left_out.get(name, False):
                self._tables[name] = self._open.enter_context((folder / name).open("wb"))
                self._write(name, [word.encode() for word in _HEADERS[name]])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def excluded(self, site: Site, info: str) -> None:
        self._write("snps-excluded.txt", [*site.columns, info.encode()])

    def typed_only(self, site: Site) -> None:
        self._write("snps-typed-only.txt", site.columns)

    def excluded_chunk(self, chunk: Chunk, *, call_rate: float) -> None:
        overlap = "NaN" if math.isnan(chunk.overlap) else f"{chunk.overlap:.6g}"
        row = [chunk.name, str(chunk.sites), overlap, str(chunk.samples_below(call_rate))]
        self._write("chunks-excluded.txt", [word.encode() for word in row])

    def conflict(self, conflict: PloidyConflict, *, sample: str, chromosome: str) -> None:
        place = f"{chromosome}:{conflict.position}"
        self._write("chrX-info.txt", [sample.encode(), place.encode()])

    def frequency(self, site: Site, made: Comparison) -> None:
        chi_square = b"NA" if math.isnan(made.chi_square) else b"%.6g" % made.chi_square
        panels_own = site._replace(ref=made.ref, alt=made.alt)
        self._write(
            "maf.txt",
            [
                *panels_own.columns,
                b"%.6g" % made.frequency,
                made.ref,
                made.alt,
                b"%.6g" % made.panel_frequency,
                chi_square,
                b"true",
                b"SNP",
            ],
        )

    def _write(self, name: str, columns: Iterable[bytes]) -> None:
        self._tables[name].write(b"\t".join(columns) + b"\n")
