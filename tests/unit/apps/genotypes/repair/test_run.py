import gzip
import json
import shutil
import subprocess
import sys
from hashlib import sha256

import pytest
from cyvcf2 import VCF

from apps.genotypes.bgzf import check_end
from apps.genotypes.repair.orders import Order, Repair
from apps.genotypes.repair.refusals import Refused
from apps.genotypes.repair.run import repair
from tests.unit.apps.genotypes.repair.damaged import (
    STUDY,
    join,
    parts,
    plain,
    shuffled,
    study,
    with_chromosomes,
    write_bgzf,
)

HEADER = [b"##fileformat=VCFv4.2", b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]
BCFTOOLS = shutil.which("bcftools") or ""


@pytest.fixture
def run(tmp_path):
    """Repair a text or a file and return the outcome; results lie in `tmp_path / "out"`."""

    def run(content, *repairs, name="study.vcf", **options):
        path = content
        if isinstance(content, bytes):
            path = tmp_path / name
            path.write_bytes(content)
        before = path.read_bytes()
        try:
            return repair(
                Order(
                    file=path,
                    name=name,
                    into=tmp_path / "out",
                    repairs=frozenset(map(Repair, repairs)),
                    **options,
                )
            )
        finally:
            assert path.read_bytes() == before

    return run


def done(outcome):
    return {one.repair.value: one.count for one in outcome.done}


def test_bgzip_packs_every_byte_of_a_text(run, tmp_path):
    text = plain(STUDY)
    outcome = run(text, "bgzip")
    (made,) = outcome.made
    result = tmp_path / "out" / "study.vcf.gz"
    check_end(result)
    assert plain(result) == text
    assert (made.name, made.size, made.chromosome) == (
        "study.vcf.gz",
        result.stat().st_size,
        "chr20",
    )
    assert made.sha256 == sha256(result.read_bytes()).hexdigest()
    assert done(outcome) == {"bgzip": 1}


def test_bgzip_reads_gzip_of_several_members_and_padding(run, tmp_path):
    text = plain(STUDY)
    packed = gzip.compress(text[:5000]) + gzip.compress(text[5000:]) + b"\0" * 512
    run(packed, "bgzip", name="study.vcf.gz")
    assert plain(tmp_path / "out" / "study.repaired.vcf.gz") == text


def test_sort_gives_the_order_of_the_header_and_keeps_that_of_equal_positions(run, tmp_path):
    header, records = study()
    records = shuffled(with_chromosomes(records, [b"X", b"chr20", b"3", b"odd"]))
    records += [records[0].replace(b"\t", b"\t", 1) for _ in range(2)]
    records[-1] = records[-1].replace(b"|", b"/")
    outcome = run(join(header, records), "sort")
    order = [b"chr20", b"3", b"X", b"odd"]
    expected = sorted(
        records, key=lambda r: (order.index(r.split(b"\t")[0]), int(r.split(b"\t")[1]))
    )
    assert plain(tmp_path / "out" / "study.vcf.gz") == join(header, expected)
    assert done(outcome)["sort"] > 0


@pytest.mark.skipif(not BCFTOOLS, reason="bcftools is not installed")
def test_sort_equals_that_of_bcftools(run, tmp_path):
    header, records = study()
    damaged = write_bgzf(tmp_path / "in.vcf.gz", join(header, shuffled(records)))
    run(damaged, "sort", name="in.vcf.gz")
    theirs = subprocess.run(
        [BCFTOOLS, "sort", "-T", tmp_path / "bcf", damaged], capture_output=True, check=True
    ).stdout
    assert parts(plain(tmp_path / "out" / "in.repaired.vcf.gz"))[1] == parts(theirs)[1]


@pytest.mark.skipif(not BCFTOOLS, reason="bcftools is not installed")
def test_rename_equals_that_of_bcftools(run, tmp_path):
    table = tmp_path / "names"
    table.write_text("chr20 20\n")
    command = [BCFTOOLS, "annotate", "--no-version", "--rename-chrs", table, STUDY]
    theirs = subprocess.run(command, capture_output=True, check=True).stdout
    header, records = study()
    header[1] = b"##contig=<ID=chr20,length=63025520>"
    run(join(header, records), "rename")
    renamed = parts(plain(tmp_path / "out" / "study.vcf.gz"))
    assert renamed[0][1] == b"##contig=<ID=20,length=63025520>"
    assert renamed[1] == parts(theirs)[1]


@pytest.mark.skipif(not BCFTOOLS, reason="bcftools is not installed")
def test_bcftools_reads_the_index_as_it_reads_its_own(run, tmp_path):
    header, records = study()
    run(join(header, shuffled(with_chromosomes(records, [b"chr20", b"chr21"]))), "sort", "index")
    result = tmp_path / "out" / "study.vcf.gz"

    def ask(*arguments):
        command = [BCFTOOLS, *arguments, result]
        return subprocess.run(command, capture_output=True, check=True).stdout

    regions = "chr20:40500000-41000000,chr21:41000000-42000000"
    ours = ask("index", "-s"), ask("view", "--no-version", "-r", regions)
    ask("index", "-f", "-t")
    assert (ask("index", "-s"), ask("view", "--no-version", "-r", regions)) == ours
    assert len(parts(ours[1])[1]) > 100


def test_index_leads_to_every_record(run, tmp_path):
    run(STUDY, "index", name="study.vcf.gz")
    result = tmp_path / "out" / "study.repaired.vcf.gz"
    whole = [(v.POS, v.ID) for v in VCF(str(result))]
    reader = VCF(str(result))
    for first, last in [(1, 40_500_000), (40_990_000, 41_500_000), (42_000_000, 50_000_000)]:
        found = [(v.POS, v.ID) for v in reader(f"chr20:{first}-{last}")]
        assert found == [(p, i) for p, i in whole if first <= p <= last]


def test_index_of_an_unsorted_file_is_refused_with_the_line(run, tmp_path):
    header, records = study()
    records[3], records[7] = records[7], records[3]
    with pytest.raises(Refused, match="out of order") as refused:
        run(join(header, records), "index")
    assert refused.value.repair == "sort"
    assert refused.value.line == len(header) + 5
    assert list((tmp_path / "out").iterdir()) == []


def test_split_makes_a_file_of_each_chromosome_even_when_they_are_mixed(run, tmp_path):
    header, records = study()
    records = with_chromosomes(records, [b"20", b"21", b"X"])
    outcome = run(join(header, records), "split", "index")
    assert [(f.name, f.chromosome) for f in outcome.made if not f.name.endswith(".tbi")] == [
        ("study.chr20.vcf.gz", "20"),
        ("study.chr21.vcf.gz", "21"),
        ("study.chrX.vcf.gz", "X"),
    ]
    for start, name in enumerate(["chr20", "chr21", "chrX"]):
        result = plain(tmp_path / "out" / f"study.{name}.vcf.gz")
        assert result == join(header, records[start::3])


@pytest.mark.parametrize(
    ("build", "names"),
    [
        ("hg19", [b"1", b"X", b"X", b"MT", b"odd"]),
        ("hg38", [b"chr1", b"chrX", b"chrX", b"chrMT", b"odd"]),
    ],
)
def test_rename_spells_chromosomes_as_the_build_does(run, tmp_path, build, names):
    header, records = study()
    header[1:2] = [b"##contig=<ID=CHR01,length=5>", b"##contig=<ID=23>", b"##contig=<ID=chrX>"]
    spelled = [b"CHR01", b"23", b"chrX", b"M", b"odd"]
    outcome = run(join(header, with_chromosomes(records, spelled)), "rename", build=build)
    header[1:4] = [b"##contig=<ID=%s,length=5>" % names[0], b"##contig=<ID=%s>" % names[1]]
    result = plain(tmp_path / "out" / "study.vcf.gz")
    assert result == join(header, with_chromosomes(records, names))
    changed = sum(a != b for a, b in zip(spelled, names, strict=True))
    assert done(outcome)["rename"] == sum(
        spelled[n % 5] != names[n % 5] for n in range(len(records))
    )
    assert changed > 2
    assert "odd" in outcome.done[0].text


def test_rename_without_a_build_is_refused_when_the_header_does_not_tell(run):
    header, records = study()
    with pytest.raises(Refused, match="hg19 or hg38"):
        run(join([header[0], *header[2:]], records), "rename")


def test_text_is_mended_where_it_is_certain(run, tmp_path):
    header, records = study()
    blanks = [*header[:-1], b"  ".join(header[-1].split(b"\t"))]
    damaged = b"\xef\xbb\xbf" + join(blanks, [*records, b""]).replace(b"\n", b"\r\n")
    outcome = run(damaged, "text")
    assert plain(tmp_path / "out" / "study.vcf.gz") == join(header, records)
    assert done(outcome) == {"text": 1 + len(header) + len(records) + 1 + 1, "bgzip": 1}


def test_all_repairs_in_one_run(run, tmp_path):
    header, records = study()
    mixed = shuffled(with_chromosomes(records, [b"20", b"chr21", b"23"]))
    outcome = run(join(header, mixed), "sort", "rename", "split", "index", "bgzip", build="hg38")
    renamed = with_chromosomes(records, [b"chr20", b"chr21", b"chrX"])
    for start, name in enumerate(["chr20", "chr21", "chrX"]):
        result = parts(plain(tmp_path / "out" / f"study.{name}.vcf.gz"))
        assert result == (header, renamed[start::3])
    assert list(done(outcome)) == ["rename", "sort", "split", "bgzip", "index"]


def test_the_child_process_says_progress_and_what_it_made(tmp_path):
    command = [sys.executable, "-m", "apps.genotypes.repair", STUDY, "--into", tmp_path / "out"]
    ran = subprocess.run(
        [*command, "--name", "a/b.vcf.gz", "--do", "sort,index"], capture_output=True, check=True
    )
    *progress, last = map(json.loads, ran.stdout.splitlines())
    percents = [line["progress"] for line in progress]
    assert percents == sorted(set(percents))
    assert percents[-1] == 100
    assert [made["name"] for made in last["made"]] == ["b.repaired.vcf.gz", "b.repaired.vcf.gz.tbi"]
    refused = subprocess.run([*command, "--do", "sort,index", "--name", "b.vcf.gz"],
                             capture_output=True, check=True)  # fmt: skip
    finding = json.loads(refused.stdout.splitlines()[-1])["refused"]
    assert (finding["rule"], finding["severity"], finding["file"]) == (
        "name-taken",
        "error",
        "b.vcf.gz",
    )


def rows(names):
    return [f"{name}\t5\t.\tA\tC\t.\t.\t.".encode() for name in names]


@pytest.mark.parametrize(
    ("content", "repairs", "message"),
    [
        (b"", ["sort"], "The file is empty"),
        (b"hello\n", ["sort"], "does not start with ##fileformat"),
        ("##fileformat=VCFv4.2\n".encode("utf-16"), ["text"], "UTF-16"),
        (b"##fileformat=VCFv4.2\n##x\n", ["sort"], "no #CHROM line"),
        (join(HEADER, []), ["sort"], "no variants"),
        (join(HEADER, [b"1\t5\t.\tA\tC\t.\t."]), ["sort"], "has 7 columns, the header has 8"),
        (join(HEADER, [b"1\tx\t.\tA\tC\t.\t.\t."]), ["sort"], "POS is no number"),
        (join(HEADER, [b"1\t3000000000\t.\tA\tC\t.\t.\t."]), ["sort"], "beyond"),
        (join(HEADER, [b"1\t600000000\t.\tA\tC\t.\t.\t."]), ["index"], "beyond what a tabix"),
        (join(HEADER, [b"1\t5\t.\tA\tC\t.\t.\t" + b"x" * 9_000_000]), ["sort"], "longer than"),
        (join(HEADER, rows(range(10_001))), ["index"], "more than 10,000 chromosomes"),
        (join(HEADER, [f"{n}\t530000000\t.\tA\tC\t.\t.\t.".encode() for n in range(20)]),
         ["index", "split"], "longer ones than any genome"),
        (join(HEADER, rows(range(100_002))), ["sort"], "more than 100,000 chromosomes"),
        (join([HEADER[0], b"#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT a b", ],
              [b"1\t5\t.\tA\tC\t.\t.\t.\tGT\t0|0"]), ["sort"], "blanks instead of tabs"),
    ],
)  # fmt: skip
def test_what_is_no_vcf_is_refused(run, tmp_path, content, repairs, message):
    with pytest.raises(Refused, match=message):
        run(content, *repairs)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("cut", [20, 3000, -1, -28, -2000])
@pytest.mark.parametrize("pack", [gzip.compress, None])
def test_a_cut_file_is_refused(run, tmp_path, pack, cut):
    data = pack(plain(STUDY)) if pack else STUDY.read_bytes()
    with pytest.raises(Refused, match=r"cut|damaged|last BGZF block") as refused:
        run(data[:cut], "sort", name="study.vcf.gz")
    assert refused.value.rule in {"truncated", "damaged"}
    assert list((tmp_path / "out").iterdir()) == []
