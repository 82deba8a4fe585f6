from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.genotypes.repair.orders import Order, Repair
from apps.genotypes.repair.refusals import Refused
from apps.genotypes.repair.run import repair
from apps.genotypes.repair.titles import result_stem
from tests.unit.apps.genotypes.repair.damaged import join, parts, plain

HEADER = [b"##fileformat=VCFv4.2", b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]
SITES = st.tuples(st.sampled_from(["1", "chr2", "X", "HLA-A"]), st.integers(1, 99))


def rows(sites):
    return [f"{name}\t{at}\t{n}\tA\tC\t.\t.\t.".encode() for n, (name, at) in enumerate(sites)]


def split(folder, records, *repairs):
    path = folder / "study.vcf"
    path.write_bytes(join(HEADER, records))
    return repair(
        Order(
            file=path,
            name=path.name,
            into=folder / "out",
            repairs=frozenset({Repair.SPLIT, *map(Repair, repairs)}),
        )
    )


@settings(max_examples=20, deadline=None)
@given(sites=st.lists(SITES, min_size=1, max_size=40))
def test_the_files_of_a_split_together_are_the_file(sites):
    with TemporaryDirectory() as name:
        folder = Path(name)
        outcome = split(folder, rows(sites))
        together = []
        for made in outcome.made:
            header, records = parts(plain(folder / "out" / made.name))
            assert header == HEADER
            assert {record.split(b"\t")[0].decode() for record in records} == {made.chromosome}
            together.append(records)
        number = {record: n for n, record in enumerate(rows(sites))}
        assert sorted(chain.from_iterable(together), key=number.__getitem__) == rows(sites)
        for records in together:
            assert records == sorted(records, key=number.__getitem__)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([f"odd{n}" for n in range(101)], "more than 100 chromosomes"),
        (["../../etc"], "cannot be part of a file's name"),
        (["a" * 41], "cannot be part of a file's name"),
        (["1", "chr1"], "spells a chromosome in two ways: 1 and chr1"),
    ],
)
def test_a_chromosome_that_makes_no_file_is_refused(tmp_path, names, message):
    with pytest.raises(Refused, match=message):
        split(tmp_path, rows((name, 1) for name in names))
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("study.vcf.gz", "study.repaired"),
        ("study.repaired.vcf.gz", "study.repaired"),
        ("Study.VCF", "Study"),
        ("a/b\\c d.vcf", "c_d"),
        ("../.hidden.bed", "hidden"),
        ("\x00\n.vcf", "file"),
        ("x" * 300 + ".zip", "x" * 100),
        ("été.bcf", "t"),
    ],
)
def test_results_get_a_safe_name(name, stem):
    assert result_stem(name) == stem
