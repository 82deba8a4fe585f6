"""One pass over a VCF that a stranger sent: is it what it must be?

The text is read line by line and each line is cut at its tabs only as far as needed, so that
hundreds of thousands of records pass in a second and memory does not grow with the file. The
first thing wrong ends the scan; the error names file, line and remedy.

The rules are those of imputationserver2's input validation: VCF with GT, unique samples, sorted,
one chromosome, REF other than ALT. A file counts as phased when no `/` occurs in its genotypes.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from apps.genotypes.bgzf import BgzfError, Compression, compression, read_blocks, read_lines
from apps.genotypes.builds import build_of, plain_name
from apps.genotypes.rules import CHUNK_SIZE

__all__ = ["VcfError", "VcfHeader", "VcfScan", "read_header", "scan_vcf", "vcf_lines"]

_FIXED = (b"#CHROM", b"POS", b"ID", b"REF", b"ALT", b"QUAL", b"FILTER", b"INFO", b"FORMAT")
# Meta lines that a header may hold, in bytes, and contigs: far above any real file.
_MAX_META = 64 * 1024 * 1024
_MAX_CONTIGS = 1_000_000
_MAX_POSITION = 2**29 - 1  # what a tabix index can hold
_MAX_DIGITS = 10


class VcfError(ValueError):
    """The file is not acceptable.

    Attributes:
        file: Its name, without its folder.
        line: Number of the line, from 1, if the trouble has one.
        reason: What is wrong and what to do, as a sentence.
    """

    def __init__(self, path: Path, reason: str, *, line: int | None = None) -> None:
        where = path.name if line is None else f"{path.name}, line {line}"
        super().__init__(f"{where}: {reason}")
        self.file = path.name
        self.line = line
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class VcfHeader:
    """What the header says.

    Attributes:
        version: `4.2` and so on.
        contigs: Their lengths, None where the header gives none.
        samples: Their names, all different.
        lines: Number of the `#CHROM` line.
    """

    version: str
    contigs: Mapping[str, int | None]
    samples: tuple[str, ...]
    lines: int

    @property
    def build(self) -> str | None:
        """`hg19` or `hg38` when the contigs' lengths tell."""
        return build_of(self.contigs)


@dataclass(frozen=True, kw_only=True)
class VcfScan:
    """What a whole file is.

    Attributes:
        chromosome: As the file spells it.
        name: The same without `chr`, 23 as X.
        first, last: Positions of the first and the last record, from 1.
        chunks: Numbers, from 0, of the chunks of 20 Mb that hold records.
        first_unphased: Line of the first genotype with `/`; None when all are phased.
    """

    header: VcfHeader
    chromosome: str
    name: str
    records: int
    first: int
    last: int
    chunks: tuple[int, ...]
    first_unphased: int | None

    @property
    def phased(self) -> bool:
        """Mitochondria count as phased: they have one haplotype."""
        return self.first_unphased is None or self.name == "MT"


@contextmanager
def vcf_lines(path: Path) -> Iterator[Iterator[bytes]]:
    """Open a VCF (BGZF or plain text) for reading its lines, without their ends.

    Raises:
        VcfError: from the lines too: the file is empty, cut, damaged, or packed otherwise.
    """
    kind = compression(path)
    if kind is Compression.EMPTY:
        raise VcfError(path, "The file is empty.")
    if kind is Compression.GZIP:
        raise VcfError(path, "The file is compressed with gzip. Please compress it with bgzip.")
    with path.open("rb") as file:
        if kind is Compression.BGZF:
            blocks = read_blocks(file)
        else:
            blocks = iter(lambda: file.read(1 << 20), b"")
        yield _told(path, read_lines(blocks))


def _told(path: Path, lines: Iterator[bytes]) -> Iterator[bytes]:
    """The lines, where trouble of the packing becomes trouble of this file."""
    try:
        yield from lines
    except BgzfError as error:
        text = str(error)
        raise VcfError(path, f"{text[0].upper()}{text[1:]}.") from error


def read_header(path: Path, lines: Iterator[bytes]) -> VcfHeader:
    """Read up to the `#CHROM` line and leave the records in `lines`.

    Raises:
        VcfError: it is not the header of a VCF with genotypes, or a sample comes twice.
    """
    first = next(lines, b"")
    if first.startswith(b"BCF"):
        raise VcfError(path, "The file is a BCF. Please convert it: bcftools view -Oz.", line=1)
    if not first.startswith(b"##fileformat=VCFv"):
        raise VcfError(path, "The file does not start with ##fileformat=VCF.", line=1)
    contigs: dict[str, int | None] = {}
    size = 0
    for number, line in enumerate(lines, start=2):
        if line.startswith(b"##"):
            size += len(line)
            if size > _MAX_META or len(contigs) > _MAX_CONTIGS:
                raise VcfError(path, "The header is too long.", line=number)
            if line.startswith(b"##contig=<"):
                contig, length = _parse_contig(line)
                contigs[contig] = length
            continue
        return VcfHeader(
            version=first[17:].decode("ascii", "replace").strip(),
            contigs=contigs,
            samples=_parse_samples(path, line, number),
            lines=number,
        )
    raise VcfError(path, "The header has no #CHROM line.")


def _parse_contig(line: bytes) -> tuple[str, int | None]:
    parts = dict(
        part.split("=", 1)
        for part in line[10:].decode("utf-8", "replace").rstrip(">\r").split(",")
        if "=" in part
    )
    length = parts.get("length", "")
    is_length = length.isascii() and length.isdigit() and len(length) <= _MAX_DIGITS
    return parts.get("ID", ""), int(length) if is_length else None


def _parse_samples(path: Path, line: bytes, number: int) -> tuple[str, ...]:
    if line.endswith(b"\r"):
        raise VcfError(path, "The lines end as in Windows. Please run dos2unix on it.", line=number)
    fields = line.split(b"\t")
    if tuple(fields[:8]) != _FIXED[:8]:
        raise VcfError(path, "The #CHROM line is not tab-delimited or incomplete.", line=number)
    if tuple(fields[:9]) != _FIXED or len(fields) < 10:
        raise VcfError(path, "The file has no samples.", line=number)
    try:
        samples = tuple(field.decode("utf-8") for field in fields[9:])
    except UnicodeDecodeError as error:
        raise VcfError(path, "A sample name is not UTF-8.", line=number) from error
    if not all(name and name.isprintable() for name in samples):
        raise VcfError(
            path, "A sample name is empty or has characters that cannot be seen.", line=number
        )
    if len(set(samples)) < len(samples):
        seen: set[str] = set()
        twice = next(s for s in samples if s in seen or seen.add(s))  # type: ignore[func-returns-value]
        raise VcfError(
            path, f"Two individuals or more have the following ID: {twice}.", line=number
        )
    return samples


def scan_vcf(path: Path) -> VcfScan:
    """Read the whole file once.

    Raises:
        VcfError: the first thing in it that is not acceptable.
        OSError: the file cannot be read.
    """
    with vcf_lines(path) as lines:
        header = read_header(path, lines)
        return _scan_records(path, header, lines)


def _scan_records(path: Path, header: VcfHeader, lines: Iterator[bytes]) -> VcfScan:
    tabs = len(header.samples) - 1
    chromosome = b""
    first = last = 0
    number = header.lines
    chunks: list[int] = []
    chunk_end = 0
    first_unphased: int | None = None

    def refuse(reason: str) -> VcfError:
        return VcfError(path, reason, line=number)

    for number, line in enumerate(lines, start=header.lines + 1):
        fields = line.split(b"\t", 9)
        if len(fields) < 10 or fields[9].count(b"\t") != tabs:
            raise refuse(
                f"The line has {line.count(b'	') + 1} columns, the header has {tabs + 10}. "
                "The file must be tab-delimited with one column for each sample."
            )
        if fields[0] != chromosome:
            if chromosome:
                raise refuse(
                    "The file contains more than one chromosome. "
                    "Please split your input VCF file by chromosome."
                )
            chromosome = fields[0]
            if plain_name(chromosome.decode("utf-8", "replace")) is None:
                name = chromosome[:40].decode("utf-8", "replace")
                raise refuse(
                    f"Invalid chromosome found: {name}. Allowed are 1 to 22, X and MT, "
                    "with or without chr."
                )
        text = fields[1]
        position = int(text) if text.isdigit() and len(text) <= _MAX_DIGITS else 0
        if not 0 < position <= _MAX_POSITION:
            raise refuse("POS is not a position.")
        if position < last:
            raise refuse(
                f"Position {position} follows {last}. Please sort the file: bcftools sort."
            )
        last = position
        if position > chunk_end:
            chunks.append((position - 1) // CHUNK_SIZE)
            chunk_end = (chunks[-1] + 1) * CHUNK_SIZE
        if not first:
            first = position
        if fields[3] == fields[4]:
            raise refuse("REF and ALT are the same.")
        if fields[8] != b"GT" and not fields[8].startswith(b"GT:"):
            raise refuse("FORMAT does not start with GT.")
        if first_unphased is None and b"/" in fields[9]:
            first_unphased = number
        if line.endswith(b"\r"):
            raise refuse("The line ends as in Windows. Please run dos2unix on the file.")
    if not first:
        raise VcfError(path, "The file has no variants.")
    spelled = chromosome.decode()
    return VcfScan(
        header=header,
        chromosome=spelled,
        name=plain_name(spelled) or spelled,
        records=number - header.lines,
        first=first,
        last=last,
        chunks=tuple(chunks),
        first_unphased=first_unphased,
    )
