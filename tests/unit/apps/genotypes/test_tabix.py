import random

import pytest
from cyvcf2 import VCF

from apps.genotypes.bgzf import BgzfWriter
from apps.genotypes.tabix import TabixIndex


def write(path, records):
    """A VCF of (chromosome, position, REF), and its index."""
    index = TabixIndex()
    with BgzfWriter(path) as out:
        out.write(b"##fileformat=VCFv4.2\n##contig=<ID=1>\n##contig=<ID=2>\n")
        out.write(b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
        for chromosome, position, ref in records:
            start = out.tell()
            out.write(f"{chromosome}\t{position}\t.\t{ref}\tT\t.\t.\t.\n".encode())
            index.add(chromosome.encode(), position, len(ref), start, out.tell())
    index.write(path.with_name(path.name + ".tbi"))


def test_regions_read_through_the_index_hold_what_overlaps_them(tmp_path):
    generator = random.Random(5)
    positions = sorted(generator.sample(range(1, 3_000_000), 9000))
    lengths = generator.choices([1, 2, 40, 30_000], weights=[90, 5, 4, 1], k=9000)
    first = [("1", p, "A" * n) for p, n in zip(positions, lengths, strict=True)]
    second = [("2", p, "A") for p in (5, 70_000, 400_000_000)]
    path = tmp_path / "a.vcf.gz"
    write(path, first + second)
    reader = VCF(str(path))
    regions = [("1", p, p + w) for p in (1, 16_384, 999_000, 2_900_000) for w in (0, 500, 200_000)]
    for name, start, end in [*regions, ("2", 1, 10), ("2", 6, 60_000), ("2", 1, 536_870_912)]:
        expected = [
            (p, ref)
            for chromosome, p, ref in first + second
            if chromosome == name and p <= end and p + len(ref) - 1 >= start
        ]
        assert [(v.POS, v.REF) for v in reader(f"{name}:{start}-{end}")] == expected


def test_the_index_tells_how_many_records_there_are(tmp_path):
    path = tmp_path / "a.vcf.gz"
    write(path, [("1", p, "A") for p in range(1, 500)] + [("2", 7, "A"), ("2", 7, "C")])
    assert VCF(str(path)).num_records == 501


def test_records_out_of_order_are_refused():
    index = TabixIndex()
    index.add(b"1", 5, 1, 0, 10)
    with pytest.raises(ValueError, match="sorted"):
        index.add(b"1", 4, 1, 10, 20)
    index.add(b"2", 1, 1, 20, 30)
    with pytest.raises(ValueError, match="follow each other"):
        index.add(b"1", 9, 1, 30, 40)
    with pytest.raises(ValueError, match="beyond"):
        index.add(b"2", 2**29 + 1, 1, 40, 50)
