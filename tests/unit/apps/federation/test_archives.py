import gzip
import random
import struct
import zlib

import pytest

from apps.federation.archives import Damaged, WrongPassword, check
from tests.michigan_server import zip_of

MEMBERS = {"chr20.dose.vcf.gz": random.Random(1).randbytes(50_000), "chr20.info.gz": b"x" * 900}


def bgzf(content: bytes) -> bytes:
    """One block of `content` and the end mark."""
    raw = zlib.compressobj(wbits=-15)
    body = raw.compress(content) + raw.flush()
    size = len(body) + 25
    head = bytes.fromhex("1f8b08040000000000ff0600424302 00") + struct.pack("<H", size)
    block = head + body + struct.pack("<II", zlib.crc32(content), len(content))
    return block + bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


@pytest.fixture
def put(tmp_path):
    def put(content):
        path = tmp_path / "file"
        path.write_bytes(content)
        return path

    return put


@pytest.mark.parametrize("password", [None, "Secret-1"])
def test_a_whole_zip_tells_its_members(put, password):
    content = zip_of(MEMBERS, password=password)

    assert check(put(content), name="chr_20.zip", password=password) == tuple(MEMBERS)


def test_an_open_zip_needs_no_password_though_one_is_given(put):
    assert check(put(zip_of(MEMBERS)), name="chr_20.zip", password="Secret-1") == tuple(MEMBERS)


def test_an_encrypted_zip_without_its_password_tells_no_members(put):
    content = zip_of(MEMBERS, password="Secret-1")

    assert check(put(content), name="chr_20.zip", password=None) == ()
    with pytest.raises(Damaged):
        check(put(content[:-30]), name="chr_20.zip", password=None)


def test_a_wrong_password_is_told_apart_from_damage(put):
    with pytest.raises(WrongPassword):
        check(put(zip_of(MEMBERS, password="Secret-1")), name="a.zip", password="Secret-2")


@pytest.mark.parametrize("password", [None, "Secret-1"])
def test_one_altered_byte_of_a_member_is_seen(put, password):
    content = bytearray(zip_of(MEMBERS, password=password))
    content[25_000] ^= 1

    with pytest.raises(Damaged):
        check(put(bytes(content)), name="chr_20.zip", password=password)


@pytest.mark.parametrize("password", [None, "Secret-1"])
def test_a_zip_cut_or_altered_anywhere_never_passes_for_another(put, password):
    whole = zip_of({"a": b"genotypes", "b": b""}, password=password)
    for cut in range(0, len(whole), 5):
        with pytest.raises((Damaged, WrongPassword)):
            check(put(whole[:cut]), name="a.zip", password=password)
    for place in range(0, len(whole), 1 if password is None else 3):
        altered = bytearray(whole)
        altered[place] ^= 0xFF
        try:
            check(put(bytes(altered)), name="a.zip", password=password)
        except (Damaged, WrongPassword):
            continue  # the rest are bytes without weight: times, versions, attributes


def test_a_page_in_place_of_a_zip_is_damage(put):
    with pytest.raises(Damaged):
        check(put(b"<html>Sorry</html>"), name="chr_20.zip", password=None)


def test_a_zip_that_claims_too_much_is_not_unpacked(put):
    with pytest.raises(Damaged, match="claims"):
        check(put(zip_of({"bomb": bytes(2**22)})), name="a.zip", password=None)


@pytest.mark.parametrize("pack", [gzip.compress, bgzf])
def test_a_gzip_file_is_read_to_its_end(put, pack):
    whole = pack(random.Random(2).randbytes(5000))
    assert check(put(whole), name="x.vcf.gz", password=None) == ()

    for cut in (0, 1, 20, len(whole) // 2, len(whole) - 1):
        with pytest.raises(Damaged):
            check(put(whole[:cut]), name="x.vcf.gz", password=None)
    altered = bytearray(whole)
    altered[100] ^= 1
    with pytest.raises(Damaged):
        check(put(bytes(altered)), name="x.vcf.gz", password=None)


def test_a_bgzf_file_cut_between_two_blocks_is_seen(put):
    whole = bgzf(b"genotypes")

    with pytest.raises(Damaged, match="end mark"):
        check(put(whole[:-28]), name="x.vcf.gz", password=None)


def test_other_files_are_taken_as_they_are(put):
    assert check(put(b"anything"), name="qc_report.txt", password="Secret-1") == ()
