"""What a file is, told by its bytes and not by its name, and its text piece by piece.

Whatever the file is, reading it costs the memory of a piece: compressed data is unpacked only as
far as the next piece needs, and a directory of an archive is measured before it is read.
"""

import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from apps.genotypes.bgzf import BgzfError, Compression, Damaged, Truncated, compression, read_blocks
from apps.genotypes.check.facts import FileFormat

__all__ = [
    "BYTE_ORDER_MARKS",
    "PIECE",
    "SAMPLE_MAJOR_BED",
    "Content",
    "Piece",
    "read_content",
    "read_pieces",
]

PIECE: Final = 1024 * 1024
BYTE_ORDER_MARKS: Final = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")
# The third byte of a .bed is its order; in a .pgen it is a mode of storage, 2 or more.
SAMPLE_MAJOR_BED: Final = b"\x6c\x1b\x00"

_HEAD: Final = 64 * 1024
_MAX_DIRECTORY: Final = 1 << 20
_PLINK: Final = ({".bed", ".bim", ".fam"}, {".pgen", ".pvar", ".psam"})


@dataclass(frozen=True, kw_only=True)
class Content:
    """What the first bytes, and the directory of an archive, say.

    Attributes:
        compression: `bgzf`, `gzip`, `zip`, `none` or `empty`.
        head: The first bytes of the text, unpacked, 64 KiB at most.
        hint: What the file seems to be when its format is unknown, as a sentence; or ''.
    """

    format: FileFormat
    compression: str
    size: int
    head: bytes
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Some of the text, and how many bytes of the file it and all before it took."""

    text: bytes
    read: int


def read_content(path: Path) -> Content:
    """Tell what the file is.

    Raises:
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        raw = file.read(_HEAD)
    packed = compression(path)
    head = _unpack_head(raw) if packed in {Compression.BGZF, Compression.GZIP} else raw
    if raw[:4] in {b"PK\3\4", b"PK\5\6"}:
        form, hint = _read_archive(path)
        return Content(format=form, compression="zip", size=size, head=b"", hint=hint)
    # What cannot be unpacked is cut or damaged, and reading it says so.
    form, hint = (FileFormat.VCF, "") if raw and not head else _read_head(head)
    return Content(format=form, compression=packed.value, size=size, head=head, hint=hint)


def _unpack_head(raw: bytes) -> bytes:
    """What can be unpacked of the first bytes; the first blocks of a file may be empty."""
    head = b""
    try:
        for plain in _inflate(BytesIO(raw)):
            head += plain
            if len(head) >= _HEAD:
                break
    except BgzfError:
        return head[:_HEAD]
    return head[:_HEAD]


def _read_head(head: bytes) -> tuple[FileFormat, str]:
    if head.startswith((b"##", b"#CHROM\t")):
        return FileFormat.VCF, ""
    if head[:4] in {b"BCF\2", b"BCF\4"}:
        return FileFormat.BCF, ""
    if head[:3] == b"\x6c\x1b\x01":
        return FileFormat.PLINK, ""
    if head.startswith(SAMPLE_MAJOR_BED):
        return FileFormat.PLINK, "Its genotypes are in sample-major order."
    if head[:2] == b"\x6c\x1b":
        return FileFormat.PLINK2, ""
    if head[16:20] == b"bgen":
        return FileFormat.BGEN, ""
    if head.startswith(BYTE_ORDER_MARKS):
        return FileFormat.UNKNOWN, "The text starts with a byte order mark."
    first = head.split(b"\n", 1)[0].rstrip(b"\r")
    if first.startswith((b"#", b"@")) and b"rsid" in first.lower():
        return FileFormat.UNKNOWN, "It looks like the raw data of a genotyping company."
    if _is_plink_text(first.split()):
        return FileFormat.PLINK, ""
    if head[:2] == b"BZ" or head[:6] == b"\xfd7zXZ\0" or head[:4] == b"\x28\xb5\x2f\xfd":
        return FileFormat.UNKNOWN, "It is compressed with bzip2, xz or zstd."
    if head[:6] == b"7z\xbc\xaf\x27\x1c" or head[257:262] == b"ustar" or head[:4] == b"Rar!":
        return FileFormat.ZIP, ""
    return FileFormat.UNKNOWN, ""


def _is_plink_text(cells: list[bytes]) -> bool:
    """Whether a line is of a .bim (chromosome, ID, cM, position, two alleles) or of a .fam."""
    if len(cells) != 6:
        return False
    alleles = all(cell.strip(b"ACGT") == b"" or cell in {b"0", b".", b"*"} for cell in cells[4:])
    return (cells[3].isdigit() and alleles) or cells[4] in {b"0", b"1", b"2"}


def _read_archive(path: Path) -> tuple[FileFormat, str]:
    """Whether a zip holds one PLINK set; the bytes of its files are not looked at."""
    try:
        if _directory_size(path) > _MAX_DIRECTORY:
            return FileFormat.ZIP, "The archive has too many files."
        with zipfile.ZipFile(path) as archive:
            names = [Path(name) for name in archive.namelist() if not name.endswith("/")]
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error):
        return FileFormat.ZIP, "The archive is cut or damaged."
    for form, parts in zip((FileFormat.PLINK, FileFormat.PLINK2), _PLINK, strict=True):
        if {name.suffix for name in names} >= parts and len(names) == len(parts):
            return form, ""
    return FileFormat.ZIP, ""


def _directory_size(path: Path) -> int:
    """Bytes of a zip's directory, from its end record (APPNOTE.TXT, sections 4.3.14 and 4.3.16)."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 22 - 0xFFFF))
        tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) < at + 22:
        raise zipfile.BadZipFile
    large = tail.rfind(b"PK\6\6")
    if tail[max(at - 20, 0) : at].startswith(b"PK\6\7"):
        if large < 0:
            raise zipfile.BadZipFile
        return int(struct.unpack_from("<Q", tail, large + 40)[0])
    return int(struct.unpack_from("<I", tail, at + 12)[0])


def read_pieces(path: Path, content: Content) -> Iterator[Piece]:
    """The text of a VCF in pieces of about `PIECE` bytes.

    What was read before an error is given before the error is raised. A thread that unpacked ahead
    would make it slower: the two pass the interpreter to each other at every block of 64 KiB.

    Raises:
        BgzfError: the file is cut or damaged.
    """
    with path.open("rb") as file:
        yield from _pieces(file, content.compression)


def _pieces(file: BinaryIO, packed: str) -> Iterator[Piece]:
    if packed == "bgzf":
        blocks = read_blocks(file)
    elif packed == "gzip":
        blocks = _inflate(file)
    else:
        blocks = iter(lambda: file.read(PIECE), b"")
    held: list[bytes] = []
    size = 0
    try:
        for block in blocks:
            held.append(block)
            size += len(block)
            if size >= PIECE:
                yield Piece(text=b"".join(held), read=file.tell())
                held, size = [], 0
    except BgzfError:
        if held:
            yield Piece(text=b"".join(held), read=file.tell())
        raise
    if held:
        yield Piece(text=b"".join(held), read=file.tell())


def _inflate(file: BinaryIO) -> Iterator[bytes]:
    """Unpack gzip, several members and zeros behind them too."""
    inflate = zlib.decompressobj(wbits=31)
    data = b""
    while True:
        data = data or file.read(_HEAD)
        try:
            plain = inflate.decompress(data, _HEAD)
        except zlib.error as error:
            raise Damaged(f"the file is damaged near byte {file.tell()} ({error})") from error
        if plain:
            yield plain
        if inflate.eof:
            data = inflate.unused_data or file.read(_HEAD)
            while data and not data.strip(b"\0"):
                data = file.read(_HEAD)
            if not data:
                return
            inflate = zlib.decompressobj(wbits=31)
        elif not plain and not data:
            raise Truncated("the file is cut: its gzip stream has no end")
        else:
            data = inflate.unconsumed_tail
