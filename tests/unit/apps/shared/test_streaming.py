import asyncio
from pathlib import Path

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from hypothesis import given
from hypothesis import strategies as st

from apps.shared.streaming import (
    ByteRange,
    RangeNotSatisfiable,
    answer_with_file,
    file_blocks,
    requested_range,
    safe_filename,
)

CONTENT = bytes(range(256)) * 4


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "chr_20.zip"
    path.write_bytes(CONTENT)
    return path


def answer(file: Path, **headers: str):
    return answer_with_file(
        file, size=len(CONTENT), filename="statistics/chr_20.zip", etag="abc", **headers
    )


def body(response) -> bytes:
    assert isinstance(response, StreamingHttpResponse)

    async def collect() -> bytes:
        return b"".join([block async for block in response])

    return asyncio.run(collect())


@given(size=st.integers(1, 10**9), first=st.integers(0, 10**9), last=st.integers(0, 10**9))
def test_range_lies_within_the_file_and_begins_where_asked(size: int, first: int, last: int):
    if last < first:
        assert requested_range(f"bytes={first}-{last}", size=size) is None
    elif first >= size:
        with pytest.raises(RangeNotSatisfiable):
            requested_range(f"bytes={first}-{last}", size=size)
    else:
        part = requested_range(f"bytes={first}-{last}", size=size)
        assert part == ByteRange(start=first, stop=min(last + 1, size))
        assert part.length > 0


@given(size=st.integers(1, 10**9), length=st.integers(1, 2 * 10**9))
def test_suffix_range_is_the_end_of_the_file(size: int, length: int):
    assert requested_range(f"bytes=-{length}", size=size) == ByteRange(
        start=max(0, size - length), stop=size
    )


@given(header=st.text(), size=st.integers(0, 100))
def test_any_header_gives_a_part_of_the_file_or_the_whole_or_a_refusal(header: str, size: int):
    try:
        part = requested_range(header, size=size)
    except RangeNotSatisfiable:
        return
    assert part is None or 0 <= part.start < part.stop <= size


@given(
    parts=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=4),
)
def test_several_ranges_give_the_whole_file(parts: list[tuple[int, int]]):
    header = "bytes=" + ",".join(f"{first}-{last}" for first, last in parts)
    assert requested_range(header, size=100) is None


@pytest.mark.parametrize("header", ["", "bytes", "bytes=", "bytes=-", "lines=0-1", "bytes=a-b"])
def test_malformed_range_gives_the_whole_file(header: str):
    assert requested_range(header, size=100) is None


@pytest.mark.parametrize(("header", "size"), [("bytes=-0", 10), ("bytes=0-", 0), ("bytes=-5", 0)])
def test_range_without_a_byte_is_not_satisfiable(header: str, size: int):
    with pytest.raises(RangeNotSatisfiable):
        requested_range(header, size=size)


def test_blocks_are_bounded_and_add_up_to_the_part(tmp_path: Path):
    path = tmp_path / "big"
    content = b"0123456789" * 100_000
    path.write_bytes(content)

    async def collect() -> list[bytes]:
        return [block async for block in file_blocks(path, ByteRange(start=3, stop=900_001))]

    blocks = asyncio.run(collect())

    assert b"".join(blocks) == content[3:900_001]
    assert max(len(block) for block in blocks) <= 256 * 1024


def test_reading_fails_when_the_file_ends_before_the_part(file: Path):
    async def collect() -> None:
        async for _ in file_blocks(file, ByteRange(start=0, stop=len(CONTENT) + 1)):
            pass

    with pytest.raises(EOFError):
        asyncio.run(collect())


def test_answer_is_the_whole_file(file: Path):
    response = answer(file)

    assert response.status_code == 200
    assert response.headers["Content-Length"] == str(len(CONTENT))
    assert response.headers["ETag"] == '"abc"'
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["Content-Disposition"] == 'attachment; filename="chr_20.zip"'
    assert body(response) == CONTENT


def test_answer_is_a_part_when_a_range_is_asked(file: Path):
    response = answer(file, range_header="bytes=10-19")

    assert response.status_code == 206
    assert response.headers["Content-Range"] == f"bytes 10-19/{len(CONTENT)}"
    assert response.headers["Content-Length"] == "10"
    assert body(response) == CONTENT[10:20]


def test_answer_is_416_when_the_range_is_behind_the_end(file: Path):
    response = answer(file, range_header=f"bytes={len(CONTENT)}-")

    assert isinstance(response, HttpResponse)
    assert response.status_code == 416
    assert response.headers["Content-Range"] == f"bytes */{len(CONTENT)}"


@pytest.mark.parametrize(
    ("validator", "status"), [('"abc"', 206), ('"old"', 200), ('W/"abc"', 200)]
)
def test_range_counts_only_when_if_range_is_this_file(file: Path, validator: str, status: int):
    assert answer(file, range_header="bytes=0-1", if_range=validator).status_code == status


@pytest.mark.parametrize("validator", ['"abc"', 'W/"abc"', "*", '"old", "abc"'])
def test_answer_is_304_when_the_client_has_the_file(file: Path, validator: str):
    response = answer(file, if_none_match=validator)

    assert response.status_code == 304
    assert response.headers["ETag"] == '"abc"'


@given(name=st.text())
def test_filename_is_one_printable_name(name: str):
    result = safe_filename(name)

    assert result
    assert result.isprintable()
    assert "/" not in result
    assert "\\" not in result
    assert result.strip(". ")
