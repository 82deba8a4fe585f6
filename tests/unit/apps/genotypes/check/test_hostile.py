"""Files that were made to break the check: there is always a report, and never much memory."""

import gzip
import io
import os
import random
import zipfile

import pytest

from apps.genotypes.bgzf import END_BLOCK, BgzfWriter
from apps.genotypes.check.content import PIECE, Piece
from apps.genotypes.check.facts import FileFormat
from apps.genotypes.check.lines import whole_lines
from apps.genotypes.check.report import Report
from tests.unit.apps.genotypes.check.files import META, bgzf, check, found, panel, row, site, text


def rules(report):
    return {finding.rule for finding in report.findings}


def test_a_file_cut_at_any_byte_is_told_to_be_cut(tmp_path):
    whole = bgzf(tmp_path / "whole", text(row(5), row(6), row(7))).read_bytes()
    path = tmp_path / "file"
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length])
        report = check(path)
        assert report.errors, length
        assert rules(report) & {"truncated", "damaged", "uncompressed", "gzip", "format-unknown"}
        if length >= 18:
            assert "truncated" in rules(report), length
        assert not report.facts.complete


def test_gzip_cut_at_any_byte_is_told_to_be_cut(tmp_path):
    whole = gzip.compress(text(row(5), row(6), row(7)), mtime=0)
    path = tmp_path / "file"
    for length in range(10, len(whole)):
        path.write_bytes(whole[:length])
        assert "truncated" in rules(check(path)), length


def test_text_cut_at_any_byte_is_told(tmp_path):
    whole = text(row(5), row(6))
    path = tmp_path / "file"
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length])
        assert check(path).errors, length


@pytest.mark.parametrize("seed", range(40))
def test_bytes_that_changed_anywhere_give_a_report(tmp_path, seed):
    chance = random.Random(seed)
    content = bytearray(text(*(row(5 + n, form="GT:DP", calls=("0|1:3", ".:.")) for n in range(9))))
    for _ in range(chance.randrange(1, 30)):
        at = chance.randrange(len(content))
        content[at : at + chance.randrange(2)] = bytes(
            chance.choice((0, 9, 10, 13, 47, 58, 124, 255)) for _ in range(chance.randrange(3))
        )
    afr = panel(tmp_path, site(5), site(6), site(9, "C", "A"))
    report = check(bgzf(tmp_path / "file", bytes(content)), panels=[afr])
    assert Report.from_json(report.to_json()) == report


@pytest.mark.parametrize("seed", range(20))
def test_noise_gives_a_report(tmp_path, seed):
    path = tmp_path / "file"
    magic = (b"", b"PK\3\4", b"PK\5\6", b"\x1f\x8b", b"\x1f\x8b\x08\4", END_BLOCK, b"BCF\2", b"##")
    path.write_bytes(magic[seed % len(magic)] + random.Random(seed).randbytes(500))
    assert check(path).errors


def test_many_contigs_are_not_kept(tmp_path):
    contigs = (f"##contig=<ID=c{number}>" for number in range(50_000))
    report = check(bgzf(tmp_path / "file", text(row(), meta=(*META, *contigs))))
    assert report.findings == ()


def test_many_chromosomes_are_one_line_of_the_report(tmp_path):
    rows = (row(5, chromosome=f"contig{number}") for number in range(5_000))
    report = check(bgzf(tmp_path / "file", text(*rows)))
    assert len(report.facts.chromosomes) <= 201
    [finding] = found(report, "chromosome-invalid")
    assert (finding.count, finding.line, len(finding.examples)) == (5_000, 4, 20)


def test_lines_without_an_end_are_told(tmp_path):
    with BgzfWriter(tmp_path / "file") as out:
        out.write(text(row()))
        for _ in range(20):
            out.write(b"\t" * (1 << 20))
    report = check(tmp_path / "file")
    assert "line-length" in rules(report)
    assert not report.facts.complete


def test_a_line_of_tabs_and_one_of_megabytes_are_read(tmp_path):
    long = row(6, calls=("0|1", "1|1:" + "x" * (5 << 20)))
    report = check(bgzf(tmp_path / "file", text(row(), "\t" * (3 << 20), long)))
    [finding] = found(report, "columns")
    assert (finding.line, finding.count) == (5, 1)
    assert found(report, "genotype")[0].line == 6


def test_many_empty_lines_are_counted(tmp_path):
    report = check(bgzf(tmp_path / "file", text(row()) + b"\n" * 200_000))
    assert found(report, "columns")[0].count == 200_000


def test_lines_of_an_old_mac_are_told(tmp_path):
    path = bgzf(tmp_path / "file", text(row()).replace(b"\n", b"\r"))
    assert check(path).errors


def test_an_archive_with_a_huge_directory_is_not_read(tmp_path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as out:
        for number in range(20_000):
            out.writestr(f"{number}{'x' * 60}", b"")
    (tmp_path / "file").write_bytes(file.getvalue())
    [finding] = check(tmp_path / "file").findings
    assert "too many files" in finding.message


@pytest.mark.parametrize("names", [("a.bed", "a.bim", "a.fam"), ("a.pgen", "a.pvar", "a.psam")])
def test_a_plink_set_in_an_archive_is_known_by_its_parts(tmp_path, names):
    with zipfile.ZipFile(tmp_path / "file", "w") as out:
        for name in names:
            out.writestr(name, b"x")
    report = check(tmp_path / "file")
    assert report.facts.format in {FileFormat.PLINK, FileFormat.PLINK2}
    assert report.findings[0].repair == "convert"


@pytest.mark.parametrize(
    "line",
    [b"20\trs1\t0\t100\tA\tC\n", b"FAM1 ID1 0 0 1 -9\n", b"1 rs2 0.5 200 0 G\n"],
)
def test_parts_of_a_plink_set_are_known_by_their_columns(tmp_path, line):
    (tmp_path / "file").write_bytes(line * 3)
    assert check(tmp_path / "file").findings[0].rule == "format-plink"


@pytest.mark.parametrize(
    ("order", "kind", "rule"),
    [
        (b"\0", FileFormat.PLINK, "format-plink-order"),
        (b"\1", FileFormat.PLINK, "format-plink"),
        (b"\2", FileFormat.PLINK2, "format-plink"),
        (b"\x10", FileFormat.PLINK2, "format-plink"),
    ],
)
def test_the_third_byte_tells_a_bed_from_a_pgen(tmp_path, order, kind, rule):
    (tmp_path / "file").write_bytes(b"\x6c\x1b" + order + bytes(30))
    report = check(tmp_path / "file")
    assert (report.facts.format, report.findings[0].rule) == (kind, rule)


def test_a_bomb_of_gzip_is_read_in_pieces(tmp_path):
    lines = (b"x" * (1 << 20) + b"\n") * 20
    (tmp_path / "file").write_bytes(gzip.compress(text(row()) + lines))
    assert found(check(tmp_path / "file", last_stage=2), "columns")[0].count == 20


def test_pieces_end_with_lines_and_a_very_long_line_comes_alone():
    text = b"a\n" * 10 + b"x" * (2 * PIECE) + b"\n" + b"\n" * 5_000 + b"the last"
    pieces = [
        Piece(text=text[at : at + PIECE], read=at + PIECE) for at in range(0, len(text), PIECE)
    ]
    cut = [piece.text for piece in whole_lines(pieces)]
    assert b"".join(cut) == text + b"\n"
    assert all(part.endswith(b"\n") for part in cut)
    [long] = [part for part in cut if len(part) > PIECE]
    assert long.count(b"\n") == 1


def test_more_samples_than_any_service_takes_are_not_kept(tmp_path):
    samples = [f"s{number}" for number in range(200_001)]
    report = check(bgzf(tmp_path / "file", text(samples=samples)))
    [finding] = found(report, "samples-number")
    assert finding.message == "The file has 200,001 samples."
    assert report.stage == 1


def test_a_crowded_position_is_read_in_bounded_time(tmp_path):
    rows = [row(5, ref=os.urandom(4).hex().upper()) for _ in range(3_000)]
    assert found(check(bgzf(tmp_path / "file", text(*rows))), "site-alleles")
