"""A file as an HTTP answer: byte ranges decided purely, bytes read in blocks off the event loop.

Ranges, `If-Range` and entity tags follow RFC 9110, sections 8.8.3, 13.1 and 14. Under ASGI a
synchronous iterator would be collected whole in memory, hence the asynchronous one.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header, parse_etags

__all__ = [
    "ByteRange",
    "RangeNotSatisfiable",
    "answer_with_file",
    "file_blocks",
    "requested_range",
    "safe_filename",
]

BLOCK_BYTES = 256 * 1024
_ONE_RANGE = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.ASCII | re.IGNORECASE)
# A file has fewer bytes than this many digits can say; longer numbers are nonsense.
_MOST_DIGITS = 18


@dataclass(frozen=True, kw_only=True)
class ByteRange:
    """Bytes `start` to `stop` (exclusive) of a file; never empty unless the file is."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        return self.stop - self.start

    def content_range(self, size: int) -> str:
        """The `Content-Range` value of a 206 answer."""
        return f"bytes {self.start}-{self.stop - 1}/{size}"


class RangeNotSatisfiable(Exception):
    """The range asked for begins behind the end of the file, or asks for its last 0 bytes."""


def requested_range(header: str, *, size: int) -> ByteRange | None:
    """The one range that a `Range` header asks of a file of `size` bytes, cut to its end.

    Returns:
        `None` when the header is absent, malformed, of another unit or names several ranges:
        then the whole file is the right answer (RFC 9110, 14.2).

    Raises:
        RangeNotSatisfiable: A well-formed range that the file does not reach.
    """
    match = _ONE_RANGE.fullmatch(header)
    if match is None:
        return None
    first, last = match.groups()
    if len(first) > _MOST_DIGITS or len(last) > _MOST_DIGITS:
        return None
    if first:
        start = int(first)
        if last and int(last) < start:
            return None
        stop = min(int(last) + 1, size) if last else size
        if start >= size:
            raise RangeNotSatisfiable
        return ByteRange(start=start, stop=stop)
    if not last:
        return None
    length = min(int(last), size)
    if length == 0:
        raise RangeNotSatisfiable
    return ByteRange(start=size - length, stop=size)


async def file_blocks(path: Path, part: ByteRange) -> AsyncIterator[bytes]:
    """The bytes of `part`, in blocks of at most 256 KiB, read in a thread.

    Raises:
        OSError: The file is not there or cannot be read.
        EOFError: The file ended before `part` did; the connection is then cut, so that a client
            never takes a short file for a whole one.
    """
    handle = await asyncio.to_thread(_open_at, path, part.start)
    try:
        left = part.length
        while left:
            block = await asyncio.to_thread(handle.read, min(BLOCK_BYTES, left))
            if not block:
                raise EOFError(f"{path.name} ended {left} bytes too early.")
            left -= len(block)
            yield block
    finally:
        handle.close()


def safe_filename(name: str) -> str:
    """The last part of `name` without control characters; never empty, never a folder."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    printable = "".join(character for character in last if character.isprintable())
    return printable if printable.strip(". ") else "download"


def answer_with_file(
    path: Path,
    *,
    size: int,
    filename: str,
    etag: str,
    range_header: str = "",
    if_range: str = "",
    if_none_match: str = "",
) -> HttpResponseBase:
    """The file at `path`, or the part of it that was asked for, as a download.

    Args:
        path: The file; it must be whole and must not change any more.
        size: Its length in bytes.
        filename: What the client should call it.
        etag: A strong validator without quotation marks, such as the SHA-256 of the bytes.
        range_header: Value of `Range`.
        if_range: Value of `If-Range`; a range counts only when it is exactly this `etag`.
        if_none_match: Value of `If-None-Match`.

    Returns:
        200, 206, 304 or 416, with `ETag` and `Accept-Ranges`; bodies are streamed.
    """
    quoted = f'"{etag}"'
    response: HttpResponseBase
    known = parse_etags(if_none_match)
    if known == ["*"] or any(tag.removeprefix("W/") == quoted for tag in known):
        response = HttpResponse(status=304)
    else:
        response = _body(path, size, quoted, range_header, if_range)
        response.headers["Content-Disposition"] = content_disposition_header(
            as_attachment=True, filename=safe_filename(filename)
        )
    response.headers["ETag"] = quoted
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Cache-Control"] = "private, no-transform"
    return response


def _body(path: Path, size: int, quoted: str, range_header: str, if_range: str) -> HttpResponseBase:
    wanted = range_header if not if_range or if_range.strip() == quoted else ""
    try:
        part = requested_range(wanted, size=size)
    except RangeNotSatisfiable:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    whole = ByteRange(start=0, stop=size)
    response = StreamingHttpResponse(
        file_blocks(path, part or whole),
        status=200 if part is None else 206,
        content_type="application/octet-stream",
    )
    response.headers["Content-Length"] = str((part or whole).length)
    if part is not None:
        response.headers["Content-Range"] = part.content_range(size)
    return response


def _open_at(path: Path, offset: int) -> BinaryIO:
    handle = path.open("rb")
    handle.seek(offset)
    return handle
