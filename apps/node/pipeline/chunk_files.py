"""The records that go on to imputation, in one file for each chunk.

A record goes to the file of its own chunk and to those of the neighbours within 5 Mb, which
phasing needs.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from apps.genotypes.bgzf import BgzfWriter
from apps.genotypes.calls import Calls, format_calls
from apps.genotypes.job_rules import Chunk
from apps.genotypes.qc import Verdict
from apps.genotypes.rules import CHUNK_SIZE
from apps.genotypes.tabix import TabixIndex

__all__ = ["ChunkFile", "ChunkWriter"]

WINDOW = 5_000_000

_ID = re.compile(rb"[^\x00-\x20\x7f]+")


@dataclass(frozen=True, kw_only=True)
class ChunkFile:
    """A chunk that passed, and its records (BGZF with a .tbi, only GT)."""

    chunk: Chunk
    path: Path
    samples: tuple[str, ...]


class ChunkWriter:
    """Write the kept records of one chromosome, or of one region of X; a context manager.

    Args:
        name: `20` or `X.nonPAR`, as the chunks are named.
        chromosome: As the panel's build spells it, for the records.
        phased: How alleles are joined, `|` or `/`.
        folder: Where the files go.
    """

    def __init__(
        self, *, name: str, chromosome: str, samples: tuple[str, ...], phased: bool, folder: Path
    ) -> None:
        self.samples = samples
        self._name = name
        self._chromosome = chromosome.encode()
        self._phased = phased
        self._folder = folder
        self._chunks: dict[int, Chunk] = {}
        self._open: dict[int, tuple[BgzfWriter, TabixIndex]] = {}

    def __enter__(self) -> "ChunkWriter":
        return self

    def __exit__(self, *_: object) -> None:
        for number in list(self._open):
            self._finish(number)

    def judge(self, position: int, verdict: Verdict, calls: Calls) -> None:
        """Count a record of the file, kept or not."""
        number = (position - 1) // CHUNK_SIZE
        chunk = self._chunks.get(number)
        if chunk is None:
            chunk = Chunk(chromosome=self._name, number=number, samples=len(self.samples))
            self._chunks[number] = chunk
        chunk.add(verdict, calls)

    def write(self, position: int, name: bytes, ref: bytes, alt: bytes, calls: Calls) -> None:
        """Write a kept record that was counted.

        An ID with blanks, or none, becomes `.`, since minimac4 ends at it.
        """
        number = (position - 1) // CHUNK_SIZE
        line = b"\t".join(
            [
                self._chromosome,
                b"%d" % position,
                name if _ID.fullmatch(name) else b".",
                ref,
                alt,
                b".\tPASS\t.\tGT",
                format_calls(calls, phased=self._phased),
            ]
        )
        within = (position - 1) % CHUNK_SIZE
        for other in (number - 1, number, number + 1):
            if (
                other < 0
                or (other < number and (within >= WINDOW or other not in self._chunks))
                or (other > number and within < CHUNK_SIZE - WINDOW)
            ):
                continue
            out, index = self._open.get(other) or self._start(other)
            start = out.tell()
            out.write(line + b"\n")
            index.add(self._chromosome, position, len(ref), start, out.tell())
        for old in [n for n in self._open if n < number - 1]:
            self._finish(old)

    def close(self) -> list[tuple[Chunk, Path]]:
        """Finish all files; the chunks that hold records of the upload, in order.

        Returns:
            Each with the path of its file, which is missing where no record was kept.
        """
        for number in list(self._open):
            self._finish(number)
        return [(chunk, self._path(number)) for number, chunk in sorted(self._chunks.items())]

    def remove(self, chunk: Chunk) -> None:
        """Remove the file of a chunk that is left out."""
        self._remove(chunk.number)

    def _remove(self, number: int) -> None:
        path = self._path(number)
        path.unlink(missing_ok=True)
        path.with_name(path.name + ".tbi").unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        chunk = Chunk(chromosome=self._name, number=number, samples=0)
        return self._folder / f"{chunk.name}.vcf.gz"

    def _start(self, number: int) -> tuple[BgzfWriter, TabixIndex]:
        out = BgzfWriter(self._path(number), level=1)
        columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"]
        out.write(
            b"##fileformat=VCFv4.2\n"
            b"##contig=<ID=" + self._chromosome + b">\n"
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
        if number not in self._chunks:  # the file held the neighbour's records only
            self._remove(number)
