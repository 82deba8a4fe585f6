import gzip

import pytest

from apps.genotypes.bgzf import BgzfWriter
from apps.genotypes.vcf import VcfError, scan_vcf

META = (
    "##fileformat=VCFv4.2",
    "##contig=<ID=chr20,length=64444167,assembly=GRCh38>",
    "##contig=<ID=chr21>",
)


def row(position=5, *, chromosome="chr20", ref="A", alt="C", form="GT", calls=("0|1", "1|1")):
    return "\t".join([chromosome, str(position), ".", ref, alt, ".", "PASS", ".", form, *calls])


def text(*rows, meta=META, samples=("a", "b")):
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT"
    return "\n".join([*meta, "\t".join([columns, *samples]), *rows]) + "\n"


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "study.vcf.gz"
        with BgzfWriter(path) as out:
            out.write(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_scan_tells_what_the_file_is(write):
    scan = scan_vcf(write(text(row(5), row(5, alt="G"), row(9, form="GT:DP"))))
    assert scan.header.samples == ("a", "b")
    assert scan.header.version == "4.2"
    assert scan.header.build == "hg38"
    assert dict(scan.header.contigs) == {"chr20": 64444167, "chr21": None}
    assert (scan.chromosome, scan.name, scan.records, scan.first, scan.last) == (
        "chr20", "20", 3, 5, 9,
    )  # fmt: skip
    assert scan.phased


def test_plain_text_is_read_too(tmp_path):
    path = tmp_path / "study.vcf"
    path.write_text(text(row(5), row(6)))
    assert scan_vcf(path).records == 2


def test_one_slash_makes_a_file_unphased(write):
    scan = scan_vcf(write(text(row(5), row(6, calls=("0|1", "0/1")), row(7, calls=("0/1", "0/1")))))
    assert scan.first_unphased == 6
    assert not scan.phased


def test_mitochondria_count_as_phased_and_23_is_x(write):
    assert scan_vcf(write(text(row(chromosome="MT", calls=("0/1", "0/0"))))).phased
    assert scan_vcf(write(text(row(chromosome="23")))).name == "X"


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ("", 1, "does not start with ##fileformat"),
        ("\0\1\2" * 50, 1, "does not start with ##fileformat"),
        ("BCF\2\2", 1, "bcftools view -Oz"),
        ("##fileformat=VCFv4.2\n##x\n", None, "no #CHROM line"),
        (text(row()).replace("#CHROM\tPOS", "#CHROM POS"), 4, "not tab-delimited"),
        (text(row(calls=()), samples=()), 4, "no samples"),
        (text(row(), samples=("a", "a")), 4, "more have the following ID: a"),
        (text(row()).replace("\n", "\r\n"), 4, "dos2unix"),
        (text(), None, "no variants"),
        (text(row(), row(calls=("0|1",))), 6, "10 columns, the header has 11"),
        (text(row(), ""), 6, "1 columns"),
        (text(row(), row(chromosome="chr21")), 6, "split your input VCF file by chromosome"),
        (text(row(chromosome="chrY")), 5, "Invalid chromosome found: chrY"),
        (text(row(chromosome="chrchr1")), 5, "Invalid chromosome found"),
        (text(row(9), row(8)), 6, "Position 8 follows 9.*bcftools sort"),
        (text(row(0)), 5, "POS"),
        (text(row(-3)), 5, "POS"),
        (text(row(10**40)), 5, "POS"),
        (text(row(2**29)), 5, "POS"),
        (text(row(ref="A", alt="A")), 5, "REF and ALT are the same"),
        (text(row(form="DS:GT")), 5, "FORMAT"),
        (text(row(), row() + "\r"), 6, "dos2unix"),
    ],
)
def test_error_names_file_line_and_remedy(write, content, line, said):
    with pytest.raises(VcfError, match=said) as raised:
        scan_vcf(write(content))
    assert raised.value.line == line
    assert raised.value.file == "study.vcf.gz"
    assert str(raised.value).startswith("study.vcf.gz")


def test_cut_gzip_and_empty_files_are_named(tmp_path, write):
    path = write(text(*[row(i) for i in range(1, 9000)]))
    whole = path.read_bytes()
    for content, said in [
        (whole[:-28], "last BGZF block is missing"),
        (whole[:-40], "is cut"),
        (gzip.compress(b"##fileformat=VCFv4.2\n"), "compress it with bgzip"),
        (b"", "empty"),
    ]:
        path.write_bytes(content)
        with pytest.raises(VcfError, match=said):
            scan_vcf(path)
