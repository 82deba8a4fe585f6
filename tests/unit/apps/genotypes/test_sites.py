import math

import numpy as np
import pytest

from apps.genotypes.bgzf import BgzfWriter
from apps.genotypes.qc import PanelSite
from apps.genotypes.sites import (
    NO_SNP,
    SitesError,
    open_site_table,
    read_site_manifest,
    snp_code,
    write_site_tables,
)

HEAD = "##fileformat=VCFv4.2\n##contig=<ID=chr20,length=64444167>\n"
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"


def row(position, ref="A", alt="C", info=".", chromosome="chr20", rest=()):
    cells = [chromosome, position, ".", ref, alt, ".", "PASS", info, *rest]
    return "\t".join(str(cell) for cell in cells)


@pytest.fixture
def source(tmp_path):
    def write(*rows, name="panel.vcf.gz", head=HEAD, columns=COLUMNS):
        path = tmp_path / name
        with BgzfWriter(path) as out:
            out.write((head + "\n".join([columns, *rows]) + "\n").encode())
        return path

    return write


def test_tables_hold_the_sites_of_a_list(source, tmp_path):
    path = source(
        row(5, info="AF=0.25"),
        row(9, "G", "T", info="NS=3;AC=1;AN=4"),
        row(9, "G", "GA", info="AF=nan"),
        row(11, "C", "A,T", info="AF=0.1,0.2"),
        row(3, chromosome="chr21", info="AF=x"),
        row(1, chromosome="chrUn_1"),
    )
    manifest = write_site_tables(path, tmp_path / "tables")
    assert manifest == read_site_manifest(tmp_path / "tables")
    assert manifest.build == "hg38"
    assert manifest.left_out == 1
    assert {name: c.sites for name, c in manifest.chromosomes.items()} == {"20": 5, "21": 1}
    table = open_site_table(tmp_path / "tables", "20")
    assert table is not None
    assert table.positions.tolist() == [5, 9, 9, 11, 11]
    assert table.codes.tolist() == [1, 11, NO_SNP, 4, 7]
    np.testing.assert_allclose(table.frequencies, [0.25, 0.25, math.nan, 0.1, 0.2], rtol=1e-6)
    assert [site[:3] for site in table.at(9)] == [(9, b"G", b"T"), (9, b"G", b"GA")]
    assert table.at(10) == ()
    table.release()
    assert next(iter(table)) == PanelSite(5, b"A", b"C", 0.25)
    assert open_site_table(tmp_path / "tables", "22") is None
    assert open_site_table(tmp_path / "nothing", "20") is None


def test_frequencies_are_counted_in_the_genotypes_when_info_has_none(source, tmp_path):
    columns = f"{COLUMNS}\tFORMAT\ta\tb"
    path = source(row(5, rest=("GT:DP", "0|1:3", ".|1:4")), columns=columns)
    write_site_tables(path, tmp_path)
    table = open_site_table(tmp_path, "20")
    assert table is not None
    assert table.frequencies.tolist() == pytest.approx([2 / 3])


def test_a_panel_is_added_file_by_file(source, tmp_path):
    folder = tmp_path / "tables"
    write_site_tables(source(row(5)), folder)
    write_site_tables(source(row(5, chromosome="chr21"), name="second.vcf.gz"), folder)
    manifest = write_site_tables(source(row(4), row(6)), folder)
    assert {name: c.sites for name, c in manifest.chromosomes.items()} == {"20": 2, "21": 1}
    assert not list(folder.glob(".new-*"))


def test_stretches_of_a_chromosome_are_joined_in_any_order(source, tmp_path):
    folder = tmp_path / "tables"
    write_site_tables(source(row(50, alt="G", info="AF=0.5")), folder)
    write_site_tables(source(row(5), row(6, "C", "CAA")), folder)
    write_site_tables(source(row(90, "T", "A"), row(90, "T", "C")), folder)
    table = open_site_table(folder, "20")
    assert table is not None
    sites = [site[:3] for site in table]
    assert sites == [
        (5, b"A", b"C"), (6, b"C", b"CAA"), (50, b"A", b"G"), (90, b"T", b"A"), (90, b"T", b"C"),
    ]  # fmt: skip
    assert table.codes.tolist() == [1, NO_SNP, 2, 12, 13]
    assert table.frequencies[2] == 0.5
    manifest = read_site_manifest(folder)
    assert manifest is not None
    entry = manifest.chromosomes["20"]
    assert (entry.sites, entry.first, entry.last, entry.with_frequency) == (5, 5, 90, 1)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((row(5), row(4)), "panel.vcf.gz, line 5: Position 4 follows 5. Please sort the file."),
        ((row(0),), "line 4: POS is not a position."),
        ((row("5x"),), "line 4: POS is not a position."),
        (("chr20\t5",), "line 4: The line has 2 columns, a VCF has at least 8."),
        ((row(5), row(5, chromosome="chr21"), row(6)), "line 6: Chromosome 20 comes twice."),
        ((row(5, chromosome="chrY"),), "It has no site of chromosome 1 to 22, X or MT."),
        ((row(5, alt="C" * (1 << 20)),), "line 4: REF and ALT are longer than any real ones."),
    ],
)
def test_a_source_that_is_not_as_it_must_be_is_refused(source, tmp_path, rows, said):
    folder = tmp_path / "tables"
    with pytest.raises(SitesError) as refused:
        write_site_tables(source(*rows), folder)
    assert said in str(refused.value)
    assert read_site_manifest(folder) is None
    assert list(folder.iterdir()) == []


def test_a_source_without_a_header_is_refused(source, tmp_path):
    with pytest.raises(SitesError, match="no #CHROM line"):
        write_site_tables(source(row(5), columns="x"), tmp_path / "tables")
    with pytest.raises(SitesError, match="##fileformat=VCF"):
        write_site_tables(source(row(5), head=""), tmp_path / "tables")


def test_another_build_is_not_added(source, tmp_path):
    folder = tmp_path / "tables"
    write_site_tables(source(row(5)), folder)
    head = "##fileformat=VCFv4.2\n##contig=<ID=21,length=48129895>\n"
    with pytest.raises(SitesError, match="Its build is hg19, that of the other tables is hg38"):
        write_site_tables(source(row(5, chromosome="21"), head=head), folder)


def test_broken_tables_are_told(source, tmp_path):
    folder = tmp_path / "tables"
    write_site_tables(source(row(5), row(6)), folder)
    (folder / "20.positions").write_bytes(b"")
    with pytest.raises(SitesError, match="make it again"):
        open_site_table(folder, "20")
    (folder / "sites.json").write_text("{")
    with pytest.raises(SitesError, match="make the tables again"):
        open_site_table(folder, "20")


def test_codes_are_of_two_single_bases():
    assert [snp_code(ref, b"T") for ref in (b"A", b"C", b"G", b"T")] == [3, 7, 11, 15]
    assert {snp_code(b"AC", b"A"), snp_code(b"A", b"."), snp_code(b"a", b"C")} == {NO_SNP}
