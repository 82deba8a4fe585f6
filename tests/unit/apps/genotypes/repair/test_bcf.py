import shutil
import subprocess

import pytest
from cyvcf2 import VCF, Writer

from apps.genotypes.repair.orders import Order, Repair
from apps.genotypes.repair.refusals import Refused
from apps.genotypes.repair.run import repair
from tests.unit.apps.genotypes.repair.damaged import STUDY, parts, plain

BCFTOOLS = shutil.which("bcftools") or ""


@pytest.fixture
def bcf(tmp_path):
    """The study as a BCF."""
    path = tmp_path / "study.bcf"
    reader = VCF(str(STUDY))
    writer = Writer(str(path), reader, mode="wb")
    for record in reader:
        writer.write_record(record)
    writer.close()
    return path


def convert(path, into, *repairs):
    return repair(
        Order(
            file=path,
            name=path.name,
            into=into,
            repairs=frozenset({Repair.CONVERT, *map(Repair, repairs)}),
        )
    )


def test_a_bcf_becomes_the_vcf_that_it_was_made_of(bcf, tmp_path):
    outcome = convert(bcf, tmp_path / "out", "index")
    header, records = parts(plain(tmp_path / "out" / "study.vcf.gz"))
    original_header, original = parts(plain(STUDY))
    assert records == original
    assert sorted(header) == sorted(original_header)
    assert (outcome.done[0].repair, outcome.done[0].count) == (Repair.CONVERT, len(original))


@pytest.mark.skipif(not BCFTOOLS, reason="bcftools is not installed")
def test_a_bcf_equals_what_bcftools_makes_of_it(bcf, tmp_path):
    convert(bcf, tmp_path / "out")
    command = [BCFTOOLS, "view", "--no-version", bcf]
    theirs = subprocess.run(command, capture_output=True, check=True).stdout
    assert plain(tmp_path / "out" / "study.vcf.gz") == theirs


@pytest.mark.parametrize("cut", [10, 100, -28, -29, -200])
def test_a_cut_bcf_is_refused(bcf, tmp_path, cut):
    bcf.write_bytes(bcf.read_bytes()[:cut])
    with pytest.raises(Refused, match=r"The BCF is damaged|The file is cut"):
        convert(bcf, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_bcf_with_damaged_records_is_refused(bcf, tmp_path):
    data = bytearray(bcf.read_bytes())
    data[-1000:-900] = b"\xff" * 100
    bcf.write_bytes(data)
    with pytest.raises(Refused, match="BCF is damaged: record"):
        convert(bcf, tmp_path / "out")
