"""The text of a VCF, however it is packed, with what is certainly only its spelling mended.

Mended, and counted: a byte order mark, line ends as in Windows, empty lines, and a `#CHROM` line
with blanks instead of tabs, when its words are as many as the columns of the first record. What is
less certain is refused with its line. Memory is bounded by the longest line that is accepted.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from apps.genotypes.bgzf import (
    BgzfError,
    Compression,
    LineTooLong,
    compression,
    read_blocks,
    read_lines,
)
from apps.genotypes.repair.progress import Progress
from apps.genotypes.repair.refusals import Refused

__all__ = [
    "MAX_CHROMOSOMES",
    "MAX_LINE",
    "VcfText",
    "open_text",
    "too_many_chromosomes",
    "vcf_text",
]

# 50,000 samples, the most that a service takes, with 160 bytes each.
MAX_LINE = 8 * 1024 * 1024
# GRCh38 with all its alternative contigs has some 3,400.
MAX_CHROMOSOMES = 100_000

_MAX_POSITION = 2**31 - 1

_MAX_META = 64 * 1024 * 1024
_OVERHEAD = 40  # what Python keeps beside the bytes of a line
_FIXED = (b"#CHROM", b"POS", b"ID", b"REF", b"ALT", b"QUAL", b"FILTER", b"INFO")
_PIECE = 1 << 20
_BOM = b"\xef\xbb\xbf"


@dataclass(kw_only=True)
class VcfText:
    """A VCF that is being read.

    Attributes:
        meta: The lines that begin with `##`.
        columns: The `#CHROM` line.
        number: Number of the last line read.
        mended: How many lines were mended so far.
        read: How many records were read so far.
        records: The other lines, each with as many columns as the header has, the first not
            empty and the second a position. To be read once.
    """

    meta: list[bytes]
    columns: bytes
    number: int = 0
    mended: int = 0
    read: int = 0
    records: Iterator[bytes] = field(default_factory=lambda: iter(()))


@contextmanager
def open_text(path: Path, progress: Progress) -> Iterator[VcfText]:
    """Open a VCF: plain text, gzip or BGZF.

    Raises:
        Refused: also from the records: the file is cut, damaged, or no VCF.
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    kind = compression(path)
    if kind is Compression.EMPTY:
        raise Refused("empty", "The file is empty.", remedy="Send it again.")
    with path.open("rb") as file:
        match kind:
            case Compression.BGZF:
                blocks = read_blocks(file)
            case Compression.GZIP:
                blocks = _gunzip(file)
            case _:
                blocks = iter(lambda: file.read(_PIECE), b"")
        yield vcf_text(_lines(_counted(blocks, file, size, progress)))


def vcf_text(lines: Iterator[bytes]) -> VcfText:
    """Read the header off `lines`, and leave the records.

    Raises:
        Refused: it is not the header of a VCF.
    """
    text = VcfText(meta=[], columns=b"")
    lines = _mended(text, lines)
    first = next(lines, b"")
    if not first.startswith(b"##fileformat=VCFv"):
        raise Refused(
            "format-unknown",
            "The file does not start with ##fileformat=VCF.",
            remedy="Send a VCF, a BCF or a PLINK set.",
            line=1,
        )
    text.meta.append(first)
    size = 0
    for line in lines:
        size += len(line) + _OVERHEAD
        if size > _MAX_META:
            raise Refused("header-length", "The header is longer than 64 MB.", line=text.number)
        if not line.startswith(b"##"):
            text.columns = line
            break
        text.meta.append(line)
    first_record = next(lines, None)
    text.columns = _check_columns(text, first_record)
    text.records = _checked(text, first_record, lines)
    return text


def _counted(
    blocks: Iterator[bytes], file: BinaryIO, size: int, progress: Progress
) -> Iterator[bytes]:
    for block in blocks:
        progress.at(file.tell(), size)
        yield block


def _gunzip(file: BinaryIO) -> Iterator[bytes]:
    """The plain bytes of one gzip member after another, a bounded piece at a time."""
    inflate = zlib.decompressobj(wbits=31)
    data = b""
    while True:
        data = data or file.read(_PIECE)
        if inflate.eof:
            if not data:
                return
            # Zero bytes after a member are padding, as gzip reads them.
            data = data.lstrip(b"\0")
            if not data:
                continue
            inflate = zlib.decompressobj(wbits=31)
        elif not data:
            raise Refused(
                "truncated", "The file is cut: its gzip data has no end.", remedy="Send it again."
            )
        try:
            plain = inflate.decompress(data, _PIECE)
        except zlib.error as error:
            raise Refused(
                "damaged", f"The gzip data is damaged ({error}).", remedy="Send the file again."
            ) from error
        data = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
        if plain:
            yield plain


def _lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The lines, where trouble of the packing becomes a refusal."""
    try:
        yield from read_lines(blocks, max_line=MAX_LINE)
    except LineTooLong as error:
        raise _too_long(f"{_sentence(error)}.") from error
    except BgzfError as error:
        raise Refused("damaged", f"{_sentence(error)}.", remedy="Send the file again.") from error


def too_many_chromosomes() -> Refused:
    """The refusal of a file that names more than `MAX_CHROMOSOMES`, so that memory is bounded."""
    return Refused(
        "too-many-chromosomes",
        f"The file names more than {MAX_CHROMOSOMES:,} chromosomes.",
        remedy="Keep 1 to 22 and X; services impute no others.",
    )


def _too_long(message: str) -> Refused:
    return Refused(
        "line-length", message, remedy="Send fewer fields for each sample; GT is enough."
    )


def _sentence(error: BgzfError) -> str:
    text = str(error).split(";")[0]
    return f"{text[0].upper()}{text[1:]}"


def _mended(text: VcfText, lines: Iterator[bytes]) -> Iterator[bytes]:
    for line in lines:
        text.number += 1
        if text.number == 1:
            if line.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise Refused(
                    "format-encoding",
                    "The file is a text of two bytes for each character (UTF-16).",
                    remedy="Save it as UTF-8.",
                    line=1,
                )
            if line.startswith(_BOM):
                line = line.removeprefix(_BOM)
                text.mended += 1
        if line.endswith(b"\r"):
            line = line.rstrip(b"\r")
            text.mended += 1
        elif not line:
            text.mended += 1
        if line:
            yield line


def _check_columns(text: VcfText, record: bytes | None) -> bytes:
    line = text.columns
    if tuple(line.split(b"\t")[:8]) == _FIXED:
        return line
    words = line.split()
    if tuple(words[:8]) != _FIXED:
        raise Refused(
            "header",
            "After the lines with ## there is no #CHROM line with the columns of a VCF.",
            line=len(text.meta) + 1,
        )
    if record is None or record.count(b"\t") + 1 != len(words):
        raise Refused(
            "header-columns",
            "The #CHROM line has blanks instead of tabs, and its words are not as many as the "
            "columns of the first record.",
            remedy="Write it with tabs, and sample names without blanks.",
            line=len(text.meta) + 1,
        )
    text.mended += 1
    return b"\t".join(words)


def _checked(text: VcfText, first: bytes | None, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first is None:
        raise Refused("records-none", "The file has no variants.")
    tabs = text.columns.count(b"\t")
    line: bytes | None = first
    while line is not None:
        if len(line) > MAX_LINE:
            raise _too_long(f"Line {text.number} is longer than {MAX_LINE} bytes.")
        if line.count(b"\t") != tabs:
            raise Refused(
                "columns",
                f"The line has {line.count(b'	') + 1} columns, the header has {tabs + 1}.",
                remedy="Every line must have one column, after a tab, for each of the header.",
                line=text.number,
            )
        chromosome, position, _ = line.split(b"\t", 2)
        if not chromosome or not position.isdigit() or len(position) > 10:
            raise Refused("position", "CHROM is empty or POS is no number.", line=text.number)
        if int(position) > _MAX_POSITION:
            raise Refused("position", "POS is beyond what a VCF can hold.", line=text.number)
        text.read += 1
        yield line
        line = next(rest, None)
