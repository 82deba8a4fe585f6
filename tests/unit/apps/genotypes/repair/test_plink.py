import io
import random
import shutil
import struct
import subprocess
import zipfile
from hashlib import sha256

import pytest

from apps.genotypes.repair.orders import Order, Repair
from apps.genotypes.repair.refusals import Refused
from apps.genotypes.repair.run import repair
from apps.genotypes.sites import write_site_tables
from tests.unit.apps.genotypes.repair.damaged import join, parts, plain

PLINK2 = shutil.which("plink2") or ""

# Sex 1 is a man, 2 a woman, 0 nobody knows.
FAM = b"f1 i1 0 0 1 -9\nf2 i2 0 0 2 -9\nf3 i3 0 0 0 -9\nf4 i4 0 0 1 -9\nf5 i5 0 0 2 -9\n"
BIM = b"""\
20 rs1 0 100 A C
20 rs2 0 200 G T
20 indel 0 250 AT A
20 rare 0 300 0 G
23 x 0 5000000 A G
25 par 0 60001 A G
24 y 0 7000 A G
26 mt 0 73 A G
"""
# By variant the genotypes of the five: how many A1, None for missing.
CALLS = [
    [0, 1, 2, None, 0],
    [2, 2, 1, 0, 0],
    [0, None, 1, 2, 1],
    [0, 0, 0, 0, None],
    [2, 1, 1, 1, 0],
    [1, 1, 0, 2, 0],
    [2, 2, 0, 1, None],
    [0, 2, 1, 0, None],
]
BITS = {2: 0, None: 1, 1: 2, 0: 3}


def bed(calls):
    packed = b"\x6c\x1b\x01"
    for row in calls:
        for at in range(0, len(row), 4):
            four = enumerate(row[at : at + 4])
            packed += bytes([sum(BITS[call] << 2 * place for place, call in four)])
    return packed


@pytest.fixture
def run(tmp_path):
    """Convert a set, given as files, and return the outcome, header and records."""

    def run(files=None, *, name="set.bed", **options):
        path = tmp_path / name
        if files is not None:
            for suffix, content in files.items():
                path.with_suffix(suffix).write_bytes(content)
        outcome = repair(
            Order(
                file=path,
                name=name,
                into=tmp_path / "out",
                repairs=frozenset({Repair.CONVERT}),
                **options,
            )
        )
        return outcome, *parts(plain(tmp_path / "out" / "set.vcf.gz"))

    return run


def files(**changes):
    return {".bed": bed(CALLS), ".bim": BIM, ".fam": FAM, **changes}


def cells(record):
    return record.decode().split("\t")[9:]


def test_a_set_becomes_the_vcf_that_it_stands_for(run):
    outcome, header, records = run(files(), build="hg19")
    assert [record.decode().split("\t")[:5] for record in records] == [
        ["20", "100", "rs1", "C", "A"],
        ["20", "200", "rs2", "T", "G"],
        ["20", "250", "indel", "A", "AT"],
        ["20", "300", "rare", "G", "."],
        ["X", "5000000", "x", "G", "A"],
        ["X", "60001", "par", "G", "A"],
        ["Y", "7000", "y", "G", "A"],
        ["MT", "73", "mt", "G", "A"],
    ]
    assert [cells(record) for record in records] == [
        ["0/0", "0/1", "1/1", "./.", "0/0"],
        ["1/1", "1/1", "0/1", "0/0", "0/0"],
        ["0/0", "./.", "0/1", "1/1", "0/1"],
        ["0/0", "0/0", "0/0", "0/0", "./."],
        ["1", "0/1", "0/1", ".", "0/0"],
        ["0/1", "0/1", "0/0", "1/1", "0/0"],
        ["1", ".", "0", ".", "."],
        ["0", "1", ".", "0", "."],
    ]
    assert header[-1].split(b"\t")[9:] == [b"i1", b"i2", b"i3", b"i4", b"i5"]
    assert b"##contig=<ID=20,length=63025520>" in header
    (convert, _) = outcome.done
    assert (convert.repair, convert.count) == (Repair.CONVERT, 8)
    assert "REF is A2 at 8 sites" in convert.text
    assert "3 genotypes of two alleles where there is one are missing now." in convert.text


def test_ref_is_the_panels_where_it_has_the_site(run, tmp_path):
    rows = [("100", "A", "C"), ("200", "T", "G"), ("250", "A", "T"), ("300", "C", "G")]
    header = [b"##fileformat=VCFv4.2", b"##contig=<ID=20,length=63025520>"]
    header.append(b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO")
    panel = tmp_path / "panel.vcf"
    panel.write_bytes(join(header, [f"20\t{p}\t.\t{r}\t{a}\t.\t.\t.".encode() for p, r, a in rows]))
    write_site_tables(panel, tmp_path / "sites")
    outcome, _, records = run(files(), build="hg19", panel=tmp_path / "sites")
    assert [tuple(record.decode().split("\t")[3:5]) for record in records[:4]] == [
        ("A", "C"),
        ("T", "G"),
        ("A", "AT"),
        ("C", "G"),
    ]
    assert cells(records[0]) == ["1/1", "0/1", "0/0", "./.", "1/1"]
    assert cells(records[3]) == ["1/1", "1/1", "1/1", "1/1", "./."]
    assert "REF is the panel's at 3 sites." in outcome.done[0].text


@pytest.mark.skipif(not PLINK2, reason="plink2 is not installed")
def test_a_random_set_equals_what_plink2_makes_of_it(run, tmp_path):
    generator = random.Random(3)
    samples, variants = 37, 300
    calls = [generator.choices([0, 1, 2, None], k=samples) for _ in range(variants)]
    bim = b"".join(
        b"%d v%d 0 %d %s\n" % (1 + n // 100, n, 10 + n, generator.choice([b"A C", b"G T", b"CA C"]))
        for n in range(variants)
    )
    fam = b"".join(b"f%d i%d 0 0 %d -9\n" % (n, n, n % 3) for n in range(samples))
    _, header, records = run(files(**{".bed": bed(calls), ".bim": bim, ".fam": fam}))
    command = [PLINK2, "--bfile", "set", "--export", "vcf", "id-paste=iid", "--out", "theirs"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    their_header, theirs = parts((tmp_path / "theirs.vcf").read_bytes())
    assert header[-1] == their_header[-1]

    def without_info(record):
        fields = record.split(b"\t")
        return fields[:7] + fields[8:]

    assert [*map(without_info, records)] == [*map(without_info, theirs)]


@pytest.mark.skipif(not PLINK2, reason="plink2 is not installed")
def test_bgen_comes_through_plink2(run, tmp_path):
    autosomes = {".bed": bed(CALLS[:3]), ".bim": b"".join(BIM.splitlines(keepends=True)[:3])}
    for suffix, content in files(**autosomes).items():
        (tmp_path / "set").with_suffix(suffix).write_bytes(content)
    command = [PLINK2, "--bfile", "set", "--export", "bgen-1.2", "ref-first", "--out", "set"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    outcome, header, records = run(name="set.bgen", build="hg38")
    assert header[-1].split(b"\t")[9:] == [b"i1", b"i2", b"i3", b"i4", b"i5"]
    assert [cells(r) for r in records] == [
        ["0/0", "0/1", "1/1", "./.", "0/0"],
        ["1/1", "1/1", "0/1", "0/0", "0/0"],
        ["0/0", "./.", "0/1", "1/1", "0/1"],
    ]
    assert "Converted by plink2" in outcome.done[0].text
    (tmp_path / "cut.bgen").write_bytes((tmp_path / "set.bgen").read_bytes()[:60])
    with pytest.raises(Refused, match="plink2 could not read the file: Error"):
        run(name="cut.bgen")


def test_x_without_a_build_is_refused(run):
    with pytest.raises(Refused, match="hg19 or hg38"):
        run(files())


def test_variants_that_no_vcf_can_hold_are_left_out_and_counted(run):
    bim = b"0 a 0 5 A C\n20 b 0 0 A C\n20 c 0 7 I D\n20 d 0 8 a g\n20 e 0 9 0 0\n"
    outcome, _, records = run(files(**{".bim": bim, ".bed": bed(CALLS[:5])}))
    assert [record.split(b"\t")[2:5] for record in records] == [[b"d", b"G", b"A"]]
    text = outcome.done[0].text
    assert "Left out since their chromosome is none of 1 to 22, X, Y and MT: 1." in text
    assert "Left out since they have no position: 1." in text
    assert "Left out since their alleles are not of the letters A, C, G and T: 2." in text


def test_individuals_of_one_name_get_that_of_their_family_too(run):
    fam = FAM.replace(b"i2", b"i1")
    _, header, _ = run(files(**{".fam": fam}), build="hg19")
    assert header[-1].split(b"\t")[9:11] == [b"f1_i1", b"f2_i1"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({".bed": b"\x6c\x1b\x00" + bed(CALLS)[3:]}, "sample-major"),
        ({".bed": bed(CALLS)[:-1]}, "does not have the bytes"),
        ({".bed": bed(CALLS) + b"\0\0"}, "does not have the bytes"),
        ({".bim": BIM + b"20 z 0 9 A C\n"}, "does not have the bytes"),
        ({".bim": BIM.replace(b"20 rs2 0 200 G T", b"20 rs2 200 G T")}, r"set.bim, line 2: .* 5"),
        ({".bim": b"20 z 0 9 " + b"A" * 200_000 + b" C\n"}, "longer than"),
        ({".fam": b""}, "no samples"),
        ({".fam": b"f i\n"}, "set.fam, line 1"),
        ({".fam": b"f i 0 0 1 1\n" * 5}, "Two individuals or more have the following ID: f_i"),
        ({".bim": b"".join(b"20 v 0 %d 1 2\n" % n for n in range(1, 9))}, "alleleACGT"),
    ],
)
def test_a_set_that_does_not_fit_is_refused(run, tmp_path, changes, message):
    with pytest.raises(Refused, match=message):
        run(files(**changes), build="hg19")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_set_without_its_other_files_is_refused(run, tmp_path):
    (tmp_path / "set.bed").write_bytes(bed(CALLS))
    with pytest.raises(Refused, match=r"there is no \.bim and no \.fam"):
        run()


def zipped(members, *, method=zipfile.ZIP_DEFLATED):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


SET = {"a/set.bed": bed(CALLS), "../../set.bim": BIM, "C:\\x\\set.fam": FAM}


def test_a_zip_is_read_without_unpacking_whatever_its_names(run, tmp_path):
    _, _, expected = run(files(), build="hg19")
    shutil.rmtree(tmp_path / "out")
    members = {**SET, "__MACOSX/a/._set.bed": b"x", "read me.txt": b"x"}
    (tmp_path / "set.zip").write_bytes(zipped(members))
    before = sha256((tmp_path / "set.zip").read_bytes()).digest()
    _, _, records = run(name="set.zip", build="hg19")
    assert records == expected
    assert sha256((tmp_path / "set.zip").read_bytes()).digest() == before
    assert not list(tmp_path.parent.glob("*.bim"))


def with_flag(data, flag):
    """The same zip with a flag set on each member, in both of its places."""
    data = bytearray(data)
    for magic, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        start = data.find(magic)
        while start >= 0:
            data[start + at] |= flag
            start = data.find(magic, start + 4)
    return bytes(data)


def with_size(data, part, size):
    """The same zip whose directory and member state another unpacked size."""
    data = bytearray(data)
    for magic, at, name in ((b"PK\3\4", 22, 30), (b"PK\1\2", 24, 46)):
        start = data.find(magic)
        while start >= 0:
            if data[start + name :].startswith(f"set.{part}".encode()):
                struct.pack_into("<L", data, start + at, size)
            start = data.find(magic, start + 4)
    return bytes(data)


PLAIN = {"set.bed": bed(CALLS), "set.bim": BIM, "set.fam": FAM}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (with_flag(zipped(PLAIN), 1), "password"),
        (zipped({**PLAIN, "b/set.fam": FAM}), "more than one .fam"),
        (zipped({"set.bed": b"x", "inner.zip": zipped(PLAIN)}), "another zip, which is not opened"),
        (zipped({"study.vcf": b"##fileformat=VCFv4.2"}), "no .bed and no .bim and no .fam"),
        (zipped({**PLAIN, "set.bim": b" " * 10_000_000}), "claims to be larger"),
        (zipped(PLAIN, method=zipfile.ZIP_LZMA), "deflate"),
        (zipped({f"{n}.txt": b"" for n in range(1001)}), "more than 1000 files"),
        (zipped(PLAIN)[:-30], "cut or damaged"),
        (b"PK\3\4" + b"\0" * 100, "cut or damaged"),
        (with_size(zipped(PLAIN), "bed", 30_003), "does not have the bytes|damaged"),
        (with_size(zipped(PLAIN), "bim", 40), "does not have the bytes|damaged"),
        (with_size(zipped(PLAIN), "fam", 16), "does not have the bytes|damaged"),
        (zipped(PLAIN).replace(b"PK\1\2", b"PK\1\3"), "cut or damaged"),
    ],
)
def test_a_hostile_zip_is_refused(run, tmp_path, content, message):
    (tmp_path / "set.zip").write_bytes(content)
    with pytest.raises(Refused, match=message):
        run(name="set.zip", build="hg19")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_zip_with_damaged_content_is_refused(run, tmp_path):
    data = zipped(PLAIN, method=zipfile.ZIP_STORED).replace(b"20 rs1 0 100", b"20 rs1 0 101")
    (tmp_path / "set.zip").write_bytes(data)
    with pytest.raises(Refused, match="damaged"):
        run(name="set.zip", build="hg19")
