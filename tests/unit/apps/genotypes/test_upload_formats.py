import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.genotypes.upload_formats import EXTENSIONS, extension_of, problem_with
from tests.bgzf import VCF, bgzf


@pytest.mark.parametrize(
    ("name", "extension"),
    [
        ("a.vcf.gz", ".vcf.gz"),
        ("A.VCF.GZ", ".vcf.gz"),
        ("a.vcf", ".vcf"),
        ("a.bed", ".bed"),
        ("a.txt", None),
        ("vcf", None),
        ("", None),
    ],
)
def test_extension_is_one_of_those_known(name: str, extension: str | None):
    assert extension_of(name) == extension


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("a.vcf.gz", bgzf(VCF)),
        ("a.vcf", VCF),
        ("a.bed", b"\x6c\x1b\x01\x00"),
        ("a.bim", b"20 rs1 0 100 A G\n"),
        ("a.fam", b"F1 S1 0 0 0 -9\n"),
        ("a.bgen", b"\x10\0\0\0"),
    ],
)
def test_file_that_is_what_its_name_says_passes(name: str, head: bytes):
    assert problem_with(name, head) is None


@pytest.mark.parametrize(
    ("name", "head", "word"),
    [
        ("a.vcf.gz", gzip.compress(VCF), "BGZF"),
        ("a.vcf.gz", VCF, "not compressed"),
        ("a.vcf.gz", bgzf(b"PK"), "not a VCF"),
        ("a.vcf.gz", bgzf(VCF)[:18] + b"\xff" * 40, "damaged"),
        ("a.vcf", b"#CHROM\tPOS\n", "not a VCF"),
        ("a.bed", b"chr1\t1\t2\n", "PLINK"),
        ("a.fam", b"\0\0\0", "text"),
        ("a.bgen", b"", "empty"),
    ],
)
def test_file_that_is_not_is_told_why(name: str, head: bytes, word: str):
    problem = problem_with(name, head)

    assert problem is not None
    assert word in problem


@given(head=st.binary(max_size=200), extension=st.sampled_from(EXTENSIONS))
def test_any_bytes_give_an_answer(head: bytes, extension: str):
    problem = problem_with(f"a{extension}", head)

    assert problem is None or problem.endswith(".")
