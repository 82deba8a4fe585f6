import gzip
import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.genotypes.bgzf import (
    END_BLOCK,
    BgzfError,
    BgzfWriter,
    Compression,
    Damaged,
    LineTooLong,
    NotBgzf,
    Truncated,
    check_end,
    compression,
    read_blocks,
    read_lines,
)


def write(path, *pieces):
    with BgzfWriter(path) as out:
        for piece in pieces:
            out.write(piece)
    return path


def plain(path):
    with path.open("rb") as file:
        return b"".join(read_blocks(file))


# Incompressible, longer than a block, and long runs: what deflate does worst and best.
PIECES = st.lists(
    st.binary(max_size=300)
    | st.builds(lambda b, n: b * n, st.binary(min_size=1, max_size=3), st.integers(0, 90_000)),
    max_size=5,
)


@given(pieces=PIECES)
def test_writer_makes_what_gzip_and_the_reader_read(tmp_path_factory, pieces):
    path = write(tmp_path_factory.mktemp("bgzf") / "a.gz", *pieces)
    text = b"".join(pieces)
    assert gzip.decompress(path.read_bytes()) == text
    assert path.read_bytes().endswith(END_BLOCK)
    if text:
        assert plain(path) == text
        assert compression(path) is Compression.BGZF
        check_end(path)


def test_writer_stores_bytes_that_do_not_compress(tmp_path):
    text = random.Random(1).randbytes(0xFF00 * 2)
    assert plain(write(tmp_path / "a.gz", text)) == text


def test_tell_gives_the_virtual_offset_of_the_next_byte(tmp_path):
    path = tmp_path / "a.gz"
    with BgzfWriter(path) as out:
        out.write(b"x" * 0xFF00 + b"abc")
        place = out.tell()
        out.write(b"def")
    with path.open("rb") as file:
        file.seek(place >> 16)
        assert next(read_blocks(file))[place & 0xFFFF :] == b"def"


def test_file_left_by_an_error_stays_recognisable_as_cut(tmp_path):
    path = tmp_path / "a.gz"

    def fail():
        with BgzfWriter(path) as out:
            out.write(b"x" * 100_000)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with pytest.raises(Truncated):
        check_end(path)


@pytest.mark.parametrize("keep", [1, 10, 17, 20, 60, -1, -27, -28])
def test_every_cut_of_a_file_is_seen(tmp_path, keep):
    path = write(tmp_path / "a.gz", b"##fileformat=VCFv4.2\n" * 9000)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BgzfError, match=r"cut|not compressed|compress"):
        check_end(path)
    with pytest.raises(Truncated, match="cut"):
        plain(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (gzip.compress(b"##fileformat"), "gzip, not with bgzip"),
        (b"##fileformat=VCFv4.2\n", "not compressed"),
        (bytes(range(256)), "not compressed"),
    ],
)
def test_other_bytes_are_named(tmp_path, content, said):
    path = tmp_path / "a.gz"
    path.write_bytes(content)
    with pytest.raises(NotBgzf, match=said):
        check_end(path)
    with pytest.raises(NotBgzf):
        plain(path)


@given(place=st.integers(0, 10_000), value=st.integers(1, 255))
def test_no_changed_byte_goes_unnoticed_or_crashes(tmp_path_factory, place, value):
    path = write(tmp_path_factory.mktemp("bgzf") / "a.gz", b"chr20\t1\t.\tA\tC\n" * 20)
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= value
    try:
        text = b"".join(read_blocks(io.BytesIO(bytes(content))))
    except BgzfError:
        return
    assert text == b"chr20\t1\t.\tA\tC\n" * 20  # a byte without meaning: time stamp, flags


def test_block_that_unpacks_to_more_than_it_says_is_refused_without_unpacking_it():
    bomb = gzip.compress(bytes(50_000_000))[10:-8]
    head = bytes.fromhex("1f8b08040000000000ff06004243 0200") + (len(bomb) + 25).to_bytes(
        2, "little"
    )
    with pytest.raises(Damaged, match="checksum"):
        list(read_blocks(io.BytesIO(head + bomb + bytes(4) + (10).to_bytes(4, "little"))))


@given(st.lists(st.binary(max_size=20)), st.integers(1, 7))
def test_lines_do_not_depend_on_how_the_text_is_cut(lines, size):
    text = b"\n".join(lines)
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    expected = text.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    assert list(read_lines(pieces)) == expected


def test_line_without_end_is_refused():
    with pytest.raises(LineTooLong, match="line 2 is longer"):
        list(read_lines([b"a\n", b"x" * 6, b"x" * 6], max_line=10))
