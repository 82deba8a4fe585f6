"""Copying what a panel needs out of a VCF, checking every record of it.

Only POS, ID, REF, ALT and GT are kept, and of the sites only those where a chosen sample carries an
ALT allele. Whatever is not as it must be ends the copy, with the file, the line and what to do.
"""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from apps.genotypes.bgzf import BgzfWriter
from apps.genotypes.builds import LENGTHS, build_of, plain_name, spelled
from apps.genotypes.calls import ABSENT, MISSING, Calls, CallsError, parse_calls
from apps.genotypes.chromosome_x import XRegion, x_region
from apps.node.pipeline.panels.manifest import PanelError

__all__ = ["Copied", "copy_genotypes", "copy_map"]

_X = "X"


@dataclass(frozen=True, kw_only=True)
class Copied:
    """A chromosome, or a region of X, that was written.

    Attributes:
        name: `20` or `X.nonPAR`.
        samples: Their names.
    """

    name: str
    path: Path
    samples: tuple[bytes, ...]
    sites: int
    haplotypes: int


def copy_genotypes(
    source: Path, folder: Path, chromosome: str, build: str, samples: Sequence[str] | None
) -> list[Copied]:
    """Copy a chromosome to `<folder>/chr<name>.vcf.gz`; X to a file for each region.

    Raises:
        PanelError: the file is not as it must be.
    """
    with _open(source) as lines:
        return _Copy(source, folder, chromosome, build, samples).run(_complete(source, lines))


class _Output:
    """The file of a chromosome or of a region, and what must be the same in all of its records."""

    def __init__(self, name: str, folder: Path, header: bytes) -> None:
        self.name = name
        self.path = folder / f"chr{name}.vcf.gz"
        self.sites = 0
        self.haploid: npt.NDArray[np.bool_] | None = None
        self.out = BgzfWriter(self.path)
        self.out.write(header)


class _Copy:
    def __init__(
        self,
        source: Path,
        folder: Path,
        chromosome: str,
        build: str,
        samples: Sequence[str] | None,
    ) -> None:
        self._source = source
        self._folder = folder
        self._chromosome = chromosome
        self._build = build
        self._wanted = samples
        self._number = 0
        self._contigs: dict[str, int | None] = {}
        self._columns: list[int] = []
        self._names: tuple[bytes, ...] = ()
        self._position = 0
        self._seen: set[tuple[bytes, bytes]] = set()
        self._outputs: dict[str, _Output] = {}

    def run(self, lines: Iterator[bytes]) -> list[Copied]:
        width = 0
        with ExitStack() as stack:
            for self._number, line in enumerate(lines, start=1):
                if line.startswith(b"##"):
                    self._read_meta(line)
                    continue
                fields = line.rstrip(b"\r\n").split(b"\t")
                if not width:
                    self._read_columns(fields)
                    width = len(fields)
                    continue
                if len(fields) != width:
                    raise self._refuse(f"has {len(fields)} columns, not {width}")
                self._copy(fields, stack)
        if not width:
            raise PanelError(self._source, "has no #CHROM line: it is not a VCF")
        made = []
        for output in self._outputs.values():
            if output.sites:
                made.append(output)
            else:
                output.path.unlink()
        if not made:
            raise PanelError(
                self._source, "has no site where a chosen sample carries an ALT allele"
            )
        return [self._finish(each) for each in made]

    def _refuse(self, reason: str) -> PanelError:
        return PanelError(self._source, f"line {self._number} {reason}")

    def _read_meta(self, line: bytes) -> None:
        if not line.startswith(b"##contig=<"):
            return
        parts = dict(
            part.split("=", 1)
            for part in line[10:].decode("utf-8", "replace").strip().rstrip(">").split(",")
            if "=" in part
        )
        length = parts.get("length", "")
        self._contigs[parts.get("ID", "")] = int(length) if length.isdecimal() else None

    def _read_columns(self, fields: Sequence[bytes]) -> None:
        if fields[0] != b"#CHROM" or len(fields) < 10:
            raise PanelError(
                self._source, "has no #CHROM line with samples: it is not a VCF of genotypes"
            )
        found = build_of(self._contigs)
        if found not in {None, self._build}:
            raise PanelError(
                self._source,
                f"has the contig lengths of {found}, the panel's build is {self._build}",
            )
        names = fields[9:]
        if len(set(names)) < len(names):
            raise self._refuse("names a sample twice")
        if self._wanted is None:
            self._columns = list(range(9, len(fields)))
        else:
            place = {name: at for at, name in enumerate(names, start=9)}
            missing = [name for name in self._wanted if name.encode() not in place]
            if missing:
                raise PanelError(
                    self._source, f"has no sample {missing[0]} ({len(missing)} are missing)"
                )
            self._columns = [place[name.encode()] for name in self._wanted]
        self._names = tuple(fields[at] for at in self._columns)

    def _copy(self, fields: Sequence[bytes], stack: ExitStack) -> None:
        position = self._check_site(fields)
        text, calls = self._read_calls(fields)
        output = self._output(position, stack)
        self._check_calls(calls, output)
        if not (calls > 0).any():
            return
        output.sites += 1
        fixed = [self._spelled, *fields[1:5], b".", b"PASS", b".", b"GT"]
        output.out.write(b"\t".join([*fixed, text]) + b"\n")

    def _check_site(self, fields: Sequence[bytes]) -> int:
        """The position of a record whose first columns are as they must be."""
        name, text, _, ref, alt = fields[:5]
        if plain_name(name.decode("utf-8", "replace")) != self._chromosome:
            raise self._refuse(f"is not of chromosome {self._chromosome}")
        position = int(text) if text.isdigit() and len(text) <= 10 else 0
        if position < max(self._position, 1):
            raise self._refuse("is not in the order of positions; run bcftools sort")
        if position > LENGTHS[self._build][self._chromosome]:
            raise self._refuse(f"is beyond the end of the chromosome in {self._build}")
        if b"," in alt:
            raise self._refuse("is multiallelic; run bcftools norm -m-")
        if not ref or not alt or (ref + alt).strip(b"ACGT") or ref == alt:
            raise self._refuse("has alleles that are not two different words of A, C, G and T")
        if position != self._position:
            self._seen.clear()
            self._position = position
        if (ref, alt) in self._seen:
            raise self._refuse("is the same site as a line before; run bcftools norm -d exact")
        self._seen.add((ref, alt))
        return position

    def _read_calls(self, fields: Sequence[bytes]) -> tuple[bytes, Calls]:
        form = fields[8]
        if form != b"GT" and not form.startswith(b"GT:"):
            raise self._refuse("does not start its FORMAT with GT")
        cells = [fields[at] for at in self._columns]
        if form != b"GT":
            cells = [cell.partition(b":")[0] for cell in cells]
        text = b"\t".join(cells)
        if b"/" in text or b"." in text:
            raise self._refuse("has unphased or missing genotypes")
        try:
            return text, parse_calls(b"GT", text, len(cells))
        except CallsError as error:
            raise self._refuse(f"has a genotype that is none: {error}") from error

    def _check_calls(self, calls: Calls, output: _Output) -> None:
        if (calls > 1).any() or (calls == MISSING).any():
            raise self._refuse("has an allele other than 0 and 1")
        haploid = calls[:, 1] == ABSENT
        if output.haploid is None:
            output.haploid = haploid
            if haploid.any() and output.name != XRegion.NON_PAR.value:
                raise self._refuse(f"has a haploid genotype, which {output.name} must not have")
        elif not np.array_equal(haploid, output.haploid):
            at = int(np.flatnonzero(haploid != output.haploid)[0])
            sample = self._names[at].decode("utf-8", "replace")
            raise self._refuse(f"has another ploidy of sample {sample} than the lines before")

    @property
    def _spelled(self) -> bytes:
        return spelled(self._chromosome, self._build).encode()

    def _output(self, position: int, stack: ExitStack) -> _Output:
        name = self._chromosome
        if name == _X:
            name = x_region(position, self._build).value
        if name not in self._outputs:
            output = _Output(name, self._folder, self._header())
            stack.enter_context(output.out)
            self._outputs[name] = output
        return self._outputs[name]

    def _header(self) -> bytes:
        columns = [b"#CHROM", b"POS", b"ID", b"REF", b"ALT", b"QUAL", b"FILTER", b"INFO", b"FORMAT"]
        length = LENGTHS[self._build][self._chromosome]
        contig = b"##contig=<ID=%b,length=%d,assembly=%b>\n"
        return (
            b"##fileformat=VCFv4.2\n"
            + contig % (self._spelled, length, self._build.encode())
            + b'##FILTER=<ID=PASS,Description="All filters passed">\n'
            + b'##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
            + b"\t".join([*columns, *self._names])
            + b"\n"
        )

    def _finish(self, output: _Output) -> Copied:
        haploid = 0 if output.haploid is None else int(output.haploid.sum())
        return Copied(
            name=output.name,
            path=output.path,
            samples=self._names,
            sites=output.sites,
            haplotypes=2 * len(self._names) - haploid,
        )


def copy_map(source: Path, target: Path, chromosome: str) -> None:
    """Copy a genetic map, columns `pos chr cM` with that header.

    Raises:
        PanelError: it is not such a map, of another chromosome, or does not rise.
    """
    with _open(source) as opened, gzip.GzipFile(target, "wb", mtime=0) as out:
        lines = _complete(source, opened)
        header = next(lines, b"")
        if header.split()[:3] != [b"pos", b"chr", b"cM"]:
            raise PanelError(source, "does not start with the columns pos, chr and cM")
        out.write(header)
        last = (1, -np.inf)
        for number, line in enumerate(lines, start=2):
            here = _parse_map_line(line, chromosome)
            if here is None:
                raise PanelError(
                    source,
                    f"line {number} is not a position, the chromosome {chromosome} and a place "
                    "in cM",
                )
            if here[0] < last[0] or here[1] < last[1]:
                raise PanelError(source, f"line {number} does not rise")
            last = here
            out.write(line)
        if last[1] == -np.inf:
            raise PanelError(source, "has no line but its header")


def _parse_map_line(line: bytes, chromosome: str) -> tuple[int, float] | None:
    words = line.split()
    if len(words) < 3 or not words[0].isdigit():
        return None
    if plain_name(words[1].decode("utf-8", "replace")) != chromosome:
        return None
    try:
        place = float(words[2])
    except ValueError:
        return None
    return (int(words[0]), place) if np.isfinite(place) else None


def _open(path: Path) -> gzip.GzipFile | BinaryIO:
    """The file open for reading lines of bytes, unpacked when it is gzip or BGZF."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else path.open("rb")


def _complete(path: Path, lines: gzip.GzipFile | BinaryIO) -> Iterator[bytes]:
    """The lines, where a file that is cut or damaged raises `PanelError`."""
    try:
        yield from lines
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise PanelError(path, f"is cut or damaged ({error})") from error
