"""BGZF, the blocked gzip of VCF files: SAM specification, section 4.1.

A BGZF file is a series of gzip members of at most 64 KiB each, so that a reader can start at any
member, and ends in an empty member. A file without that last member was cut.

Everything here reads and writes block by block: memory does not grow with the file. Files come
from strangers, so every length that a file states is checked before it is believed.

Errors::

    BgzfError
    ├── NotBgzf      other bytes than BGZF: plain gzip, plain text, nothing at all
    ├── Truncated    the file ends inside a block, or without the last, empty block
    ├── Damaged      a block does not decompress to what it promises
    └── LineTooLong  no line end within the limit
"""

import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from isal import igzip_lib, isal_zlib

__all__ = [
    "END_BLOCK",
    "BgzfError",
    "BgzfWriter",
    "Compression",
    "Damaged",
    "LineTooLong",
    "NotBgzf",
    "Truncated",
    "check_end",
    "compression",
    "read_blocks",
    "read_lines",
    "read_packed_blocks",
]

# The empty block that closes every complete file (specification, section 4.1.2).
END_BLOCK = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")

MAX_LINE = 64 * 1024 * 1024

# The stubs of isal call the class an instance.
_INFLATE_ERROR: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment]
_HEADER = struct.Struct("<4sIBBH")
_FOOTER = struct.Struct("<II")
_MAGIC = b"\x1f\x8b\x08\x04"
# Input of one block, as htslib cuts it: leaves room for the case that deflate makes it longer.
_BLOCK_INPUT = 0xFF00


class BgzfError(ValueError):
    """The bytes are not what they should be; the text says where and what to do."""


class NotBgzf(BgzfError):
    pass


class Truncated(BgzfError):
    pass


class Damaged(BgzfError):
    pass


class LineTooLong(BgzfError):
    pass


class Compression(Enum):
    """How the first bytes of a file say that it is packed."""

    EMPTY = "empty"
    BGZF = "bgzf"
    GZIP = "gzip"
    NONE = "none"


def compression(path: Path) -> Compression:
    """Tell from the first 18 bytes how the file is packed.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(18)
    if not head:
        return Compression.EMPTY
    if head[:4] == _MAGIC and head[12:16] == b"BC\x02\x00":
        return Compression.BGZF
    if head[:2] == b"\x1f\x8b":
        return Compression.GZIP
    return Compression.NONE


def check_end(path: Path) -> None:
    """Make sure that a BGZF file ends as a complete one does, reading only its ends.

    Raises:
        NotBgzf: it is not BGZF at all; the text says what it is.
        Truncated: the last, empty block is missing.
    """
    kind = compression(path)
    if kind is Compression.EMPTY:
        raise NotBgzf("the file is empty")
    if kind is Compression.GZIP:
        raise NotBgzf("the file is compressed with gzip, not with bgzip; compress it with bgzip")
    if kind is Compression.NONE:
        raise NotBgzf("the file is not compressed with bgzip; compress it with bgzip")
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - len(END_BLOCK)))
        if file.read() != END_BLOCK:
            raise Truncated("the file is cut: its last BGZF block is missing; send it again")


def read_blocks(file: BinaryIO) -> Iterator[bytes]:
    """Yield the plain bytes of each block that is not empty; see `read_packed_blocks`."""
    return (plain for _, plain in read_packed_blocks(file) if plain)


def read_packed_blocks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Yield each block as it is in the file, and its plain bytes, checked for length and CRC.

    Args:
        file: A BGZF file open for reading bytes, at the start of a block.

    Raises:
        NotBgzf: a block does not start as one.
        Truncated: the file ends inside a block, or without the empty one.
        Damaged: a block does not decompress to what it promises.
    """
    offset = 0
    last: bytes | None = None
    while head := file.read(_HEADER.size):
        if len(head) < _HEADER.size:
            raise Truncated(f"the file is cut at byte {offset}; send it again")
        magic, _time, _flags, _system, extra_length = _HEADER.unpack(head)
        if magic != _MAGIC:
            raise NotBgzf(f"byte {offset} does not start a BGZF block; compress it with bgzip")
        extra = file.read(extra_length)
        if len(extra) < extra_length:
            raise Truncated(f"the file is cut at byte {offset}; send it again")
        body_length = _block_size(extra, offset) - _HEADER.size - extra_length
        if body_length < _FOOTER.size:
            raise Damaged(f"the block at byte {offset} states an impossible length")
        body = file.read(body_length)
        if len(body) < body_length:
            raise Truncated(f"the file is cut at byte {offset}; send it again")
        last = _decompress(body, offset)
        yield head + extra + body, last
        offset += _HEADER.size + extra_length + body_length
    if last is None:
        raise NotBgzf("the file is empty")
    if last:
        raise Truncated("the file is cut: its last BGZF block is missing; send it again")


def _block_size(extra: bytes, offset: int) -> int:
    """The length of the whole block, from the subfield `BC` of its header."""
    at = 0
    while at + 4 <= len(extra):
        length = int.from_bytes(extra[at + 2 : at + 4], "little")
        if extra[at : at + 2] == b"BC" and length == 2 and at + 6 <= len(extra):
            return int.from_bytes(extra[at + 4 : at + 6], "little") + 1
        at += 4 + length
    raise NotBgzf(f"byte {offset} starts a plain gzip member; compress the file with bgzip")


def _decompress(body: bytes, offset: int) -> bytes:
    crc, size = _FOOTER.unpack_from(body, len(body) - _FOOTER.size)
    if size > 0x10000:
        raise Damaged(f"the block at byte {offset} states more than 64 KiB")
    # ISA-L unpacks twice as fast as zlib, and the check of an upload mostly unpacks.
    inflate = isal_zlib.decompressobj(wbits=-15)
    try:
        # One byte more than promised is enough to see that it lies.
        plain = inflate.decompress(body[: -_FOOTER.size], size + 1)
    except _INFLATE_ERROR as error:
        raise Damaged(f"the block at byte {offset} is damaged ({error}); send it again") from error
    if len(plain) != size or isal_zlib.crc32(plain) != crc:
        raise Damaged(f"the block at byte {offset} is damaged (checksum); send it again")
    return plain


def read_lines(blocks: Iterable[bytes], *, max_line: int = MAX_LINE) -> Iterator[bytes]:
    """Cut blocks of bytes into lines without their line ends (`\\n`).

    A last line without a line end is given too. Carriage returns are left in place: they are an
    error in a VCF, and whoever parses a line can say which one.

    Args:
        blocks: Pieces of the text, as `read_blocks` yields them.
        max_line: Bytes that a line may have at most.

    Raises:
        LineTooLong: with the number of the line.
    """
    number = 0
    rest: list[bytes] = []
    held = 0
    for block in blocks:
        lines = block.split(b"\n")
        if len(lines) > 1:
            rest.append(lines[0])
            lines[0] = b"".join(rest)
            rest, held = [lines.pop()], 0
            held = len(rest[0])
            number += len(lines)
            yield from lines
        else:
            rest.append(block)
            held += len(block)
        if held > max_line:
            raise LineTooLong(f"line {number + 1} is longer than {max_line} bytes")
    if held:
        yield b"".join(rest)


class BgzfWriter:
    """Write BGZF; `tell` gives virtual offsets for an index.

    The end block is written by `close`, and by leaving a `with` without an exception: a file that
    was left because of an error stays recognisable as cut.
    """

    def __init__(self, path: Path, *, level: int = 6) -> None:
        self._file = path.open("wb")
        self._level = level
        self._buffer = bytearray()
        self._written = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._file.close()

    def write(self, data: bytes) -> int:
        """Add bytes; return how many (all of them)."""
        self._buffer += data
        start = 0
        while len(self._buffer) - start >= _BLOCK_INPUT:
            self._write_block(bytes(self._buffer[start : start + _BLOCK_INPUT]))
            start += _BLOCK_INPUT
        if start:
            del self._buffer[:start]
        return len(data)

    def write_packed(self, block: bytes) -> None:
        """Add a whole block of another BGZF file as it is, without packing it again."""
        if self._buffer:
            self._write_block(bytes(self._buffer))
            self._buffer.clear()
        self._file.write(block)
        self._written += len(block)

    def tell(self) -> int:
        """The virtual offset of the next byte: file offset of its block << 16 | offset in it."""
        return self._written << 16 | len(self._buffer)

    def close(self) -> None:
        """Write what is left and the end block. More calls do nothing."""
        if self._file.closed:
            return
        if self._buffer:
            self._write_block(bytes(self._buffer))
            self._buffer.clear()
        self._file.write(END_BLOCK)
        self._file.close()

    def _write_block(self, plain: bytes) -> None:
        packed = self._deflate(plain, self._level)
        if len(packed) > 0x10000 - 26:
            packed = self._deflate(plain, 0)
        size = len(packed) + 25
        self._file.write(_HEADER.pack(_MAGIC, 0, 0, 255, 6))
        self._file.write(b"BC\x02\x00" + size.to_bytes(2, "little"))
        self._file.write(packed)
        self._file.write(_FOOTER.pack(zlib.crc32(plain), len(plain)))
        self._written += size + 1

    @staticmethod
    def _deflate(plain: bytes, level: int) -> bytes:
        deflate = zlib.compressobj(level, zlib.DEFLATED, -15)
        return deflate.compress(plain) + deflate.flush()
