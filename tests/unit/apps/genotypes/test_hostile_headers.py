import pytest

from apps.genotypes.bgzf import BgzfWriter
from apps.genotypes.vcf import VcfError, scan_vcf

COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t"
RECORD = "20\t100\t.\tA\tC\t.\tPASS\t.\tGT\t0|1\n"


def write(path, meta="", sample="s1"):
    with BgzfWriter(path) as out:
        out.write(f"##fileformat=VCFv4.2\n{meta}{COLUMNS}{sample}\n{RECORD}".encode())
    return path


@pytest.mark.parametrize("length", ["9" * 5000, "-1", "1e9", "٣", ""])
def test_contig_length_that_is_none_says_nothing(tmp_path, length):
    scan = scan_vcf(write(tmp_path / "a.vcf.gz", meta=f"##contig=<ID=20,length={length}>\n"))

    assert scan.header.contigs == {"20": None}
    assert scan.header.build is None


@pytest.mark.parametrize("sample", ["", "a\0", "a\rb", "a\x1b[2J", "a\u202eb", "a\u200b"])
def test_sample_name_that_cannot_be_seen_is_refused(tmp_path, sample):
    with pytest.raises(VcfError, match="line 2: A sample name"):
        scan_vcf(write(tmp_path / "a.vcf.gz", sample=f"{sample}\ts2"))


@pytest.mark.parametrize("sample", ["NA 12878", "Müller", "患者1"])
def test_sample_name_of_people_is_taken(tmp_path, sample):
    assert scan_vcf(write(tmp_path / "a.vcf.gz", sample=sample)).header.samples == (sample,)
