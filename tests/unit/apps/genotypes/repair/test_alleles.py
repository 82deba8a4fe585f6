import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.genotypes.repair.orders import Order, Repair
from apps.genotypes.repair.refusals import Refused
from apps.genotypes.repair.run import repair
from apps.genotypes.repair.turning import Turner
from apps.genotypes.sites import write_site_tables
from tests.unit.apps.genotypes.repair.damaged import KIT, join, parts, plain, study

HEADER = (
    b'##INFO=<ID=EAC,Number=A,Type=Integer,Description="">',
    b'##INFO=<ID=RX,Number=R,Type=Integer,Description="">',
    b'##FORMAT=<ID=EC,Number=A,Type=Integer,Description="">',
)
COMPLEMENT = dict(zip("ACGT", "TGCA", strict=True))


@pytest.fixture(scope="module")
def panel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sites")
    write_site_tables(KIT / "panel_AFR.vcf.gz", folder)
    return folder


@pytest.fixture
def run(tmp_path, panel):
    def run(header, records, *repairs, **options):
        path = tmp_path / "study.vcf"
        path.write_bytes(join(header, records))
        options = {"panel": panel, **options}
        outcome = repair(
            Order(
                file=path,
                name=path.name,
                into=tmp_path / "out",
                repairs=frozenset(map(Repair, repairs)),
                **options,
            )
        )
        return outcome, parts(plain(tmp_path / "out" / "study.vcf.gz"))[1]

    return run


def in_panel():
    """(position, REF, ALT) of the panel's sites."""
    _, records = parts(plain(KIT / "panel_AFR.vcf.gz"))
    return {tuple(record.decode().split("\t")[i] for i in (1, 3, 4)) for record in records}


def exchanged(record):
    """REF and ALT the other way round, by the slow way."""
    fields = record.decode().split("\t")
    fields[3], fields[4] = fields[4], fields[3]
    other = {"0": "1", "1": "0"}
    fields[9:] = ["".join(other.get(c, c) for c in cell) for cell in fields[9:]]
    return "\t".join(fields).encode()


def on_the_other_strand(record):
    fields = record.decode().split("\t")
    fields[3], fields[4] = COMPLEMENT[fields[3]], COMPLEMENT[fields[4]]
    return "\t".join(fields).encode()


def palindromic(record):
    _, _, _, ref, alt, *_ = record.decode().split("\t")
    return COMPLEMENT[ref] == alt


def known(record, sites):
    return tuple(record.decode().split("\t")[i] for i in (1, 3, 4)) in sites


def test_swap_turns_exactly_what_the_panel_has_the_other_way_round(run):
    header, records = study()
    sites = in_panel()
    damaged = [
        exchanged(record) if number % 3 == 0 else record for number, record in enumerate(records)
    ]
    outcome, repaired = run(header, damaged, "swap")
    expected = [
        original if known(original, sites) and not palindromic(original) else broken
        for original, broken in zip(records, damaged, strict=True)
    ]
    assert repaired == expected
    turned = sum(a != b for a, b in zip(damaged, repaired, strict=True))
    assert turned > 100
    (swap, _) = outcome.done
    assert (swap.repair, swap.count) == (Repair.SWAP, turned)
    ambiguous = sum(known(r, sites) and palindromic(r) for r in records[::3])
    assert ambiguous > 0
    assert f"{ambiguous} A/T or C/G records left as they are" in swap.text


def test_a_strand_flip_is_never_part_of_a_swap(run):
    header, records = study()
    sites = in_panel()
    damaged = [on_the_other_strand(record) for record in records]
    outcome, repaired = run(header, damaged, "swap")
    assert repaired == damaged
    flips = sum(known(r, sites) and not palindromic(r) for r in records)
    assert f"{flips} strand flips left as they are: ask for flip." in outcome.done[0].text


def test_flip_turns_the_strand_and_leaves_out_what_reads_the_same_on_both(run):
    header, records = study()
    sites = in_panel()
    damaged = [
        on_the_other_strand(exchanged(record) if number % 2 else record)
        for number, record in enumerate(records)
    ]
    outcome, repaired = run(header, damaged, "flip", "swap")
    assert repaired == [
        original if known(original, sites) else broken
        for original, broken in zip(records, damaged, strict=True)
        if not palindromic(original)
    ]
    flip = outcome.done[0]
    assert flip.repair is Repair.FLIP
    assert flip.count == sum(known(r, sites) and not palindromic(r) for r in records)
    assert f"{sum(map(palindromic, records))} A/T or C/G records left out" in flip.text


def test_flip_alone_leaves_swaps_and_says_so(run):
    header, records = study()
    damaged = [on_the_other_strand(exchanged(record)) for record in records]
    outcome, repaired = run(header, damaged, "flip")
    sites = in_panel()
    kept = [r for r in records if not palindromic(r)]
    assert repaired == [
        exchanged(r) if known(r, sites) else on_the_other_strand(exchanged(r)) for r in kept
    ]
    assert f"{sum(known(r, sites) for r in kept)} swaps left as they are" in outcome.done[0].text


def test_swap_without_a_panel_is_refused(run):
    header, records = study()
    with pytest.raises(Refused, match="none was chosen"):
        run(header, records, "swap", panel=None)


def test_swap_against_a_panel_of_another_build_is_refused(run):
    header, records = study()
    header[1] = b"##contig=<ID=20,length=63025520>"
    with pytest.raises(Refused, match="panel's build is hg38, that of the file is hg19"):
        run(header, records, "swap")


def test_a_build_that_the_header_contradicts_is_refused(run):
    header, records = study()
    with pytest.raises(Refused, match="say that the build is hg38, and hg19 was asked for"):
        run(header, records, "rename", build="hg19")


def test_every_field_that_depends_on_the_order_of_alleles_is_turned_or_dropped():
    record = (
        b"20\t5\trs1\tA\tC\t.\tPASS\tAF=0.0125;AC=3;AN=8;MAF=0.1;EAC=3;RX=1,2;CSQ=x;DB;DP=9\t"
        b"GT:AD:PL:GP:DS:HDS:EC:GQ\t0|1:7,2:10,0,30:0.1,0.9,0:0.95:0.05,0.9:1:40\t"
        b"1:0,9:30,0:0,1:1:1:2:3\t.|.:.:.:.:.:.,.:.:.\t./1"
    )
    turner = Turner(list(HEADER))
    assert turner.swap(record) == (
        b"20\t5\trs1\tC\tA\t.\tPASS\tAF=0.9875;AC=5;AN=8;MAF=0.1;RX=2,1;DB;DP=9\t"
        b"GT:AD:PL:GP:DS:HDS:GQ\t1|0:2,7:30,0,10:0,0.9,0.1:1.05:0.95,0.1:40\t"
        b"0:9,0:0,30:1,0:0:0:3\t.|.:.:.:.:.:.,.:.\t./0"
    )
    assert turner.dropped == {"EAC": 1, "CSQ": 1, "EC": 1}


@pytest.mark.parametrize("genotype", [b"0|2", b"a", b""])
def test_a_record_with_other_alleles_cannot_be_turned(genotype):
    head = b"20\t5\t.\tA\tC\t.\t.\t."
    assert Turner([]).swap(head + b"\tGT\t0|1\t" + (genotype or b"0|3")) is None
    assert Turner([]).swap(head + b"\tGT:DP\t0|1:3\t" + genotype + b":4") is None


DECIMALS = st.integers(0, 1000).map(lambda n: f"{n / 1000:.3f}".encode())


@st.composite
def turnable(draw):
    cells = []
    for _ in range(draw(st.integers(1, 4))):
        genotype = draw(st.sampled_from([b"0|1", b"1/1", b"./.", b".|1", b"0", b"1|0", b"."]))
        haplotypes = len(genotype) // 2 + 1
        dosage = math.fsum(float(draw(DECIMALS)) for _ in range(haplotypes))
        counts = b"%d,%d" % (draw(st.integers(0, 99)), draw(st.integers(0, 99)))
        likely = b",".join(b"%d" % draw(st.integers(0, 99)) for _ in range(haplotypes + 1))
        sides = b",".join(draw(DECIMALS) for _ in range(haplotypes))
        cells.append(b":".join([genotype, counts, likely, b"%.3f" % dosage, sides]))
    total = draw(st.integers(1, 99))
    info = b"AF=%s;AC=%d;AN=%d" % (draw(DECIMALS), draw(st.integers(0, total)), total)
    fixed = b"20\t7\t.\tA\tG\t.\t.\t%s\tGT:AD:PL:DS:HDS" % info
    return b"\t".join([fixed, *cells])


@settings(max_examples=60, deadline=None)
@given(turnable())
def test_turning_twice_gives_the_record_back(record):
    turner = Turner([])
    once = turner.swap(record)
    assert once != record
    assert once is not None
    assert turner.swap(once) == record
