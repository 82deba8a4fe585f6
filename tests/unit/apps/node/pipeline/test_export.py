import gzip

import pytest
import pyzipper
from cyvcf2 import VCF

from apps.genotypes.bgzf import BgzfWriter, check_end
from apps.node.pipeline.engines import ChunkFiles
from apps.node.pipeline.export import export_chromosome

COLUMNS = b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"


def part(path, meta, positions, *, sample):
    columns = COLUMNS + b"\tFORMAT\t" + sample if sample else COLUMNS
    with BgzfWriter(path) as out:
        out.write(b"##fileformat=VCFv4.2\n##contig=<ID=chr20>\n" + meta + columns + b"\n")
        for position in positions:
            line = b"chr20\t%d\t.\tA\tC\t.\t.\t." % position
            out.write(line + (b"\tGT\t0|1\n" if sample else b"\n"))
    return path


def chunks(folder, meta, parts, sample):
    return [
        ChunkFiles(
            dose=part(folder / f"{n}.dose", meta, positions, sample=sample),
            info=part(folder / f"{n}.info", meta, positions, sample=b""),
            empirical=part(folder / f"{n}.empirical", meta, positions, sample=sample),
        )
        for n, positions in enumerate(parts)
    ]


# Headers end within the first block, at its very end, within a later one, and in a long line.
@pytest.mark.parametrize("padding", [0, 100, *range(0xFF00 - 130, 0xFF00, 9), 0xFF00 * 2 + 7])
@pytest.mark.parametrize("long_names", [False, True])
def test_joined_chunks_are_one_file(tmp_path, padding, long_names):
    folder = tmp_path / "export"
    folder.mkdir()
    sample = b"s" * (padding + 1) if long_names else b"s"
    meta = b"" if long_names else b"##note=" + b"x" * padding + b"\n"
    parts = [range(100, 20_000, 3), [], range(20_000, 20_010)]
    archive = export_chromosome(
        chunks(folder, meta, parts, sample),
        chromosome="20",
        origin=["##origin=a", "##origin=b"],
        meta=True,
        password="p",
        folder=folder,
    )
    assert [path.name for path in folder.iterdir()] == ["chr_20.zip"]
    with pyzipper.AESZipFile(archive) as packed:
        packed.setpassword(b"p")
        packed.extractall(folder)
    expected = [position for positions in parts for position in positions]
    for name in ("chr20.dose.vcf.gz", "chr20.info.gz", "chr20.empiricalDose.vcf.gz"):
        check_end(folder / name)
        lines = gzip.decompress((folder / name).read_bytes()).splitlines()
        header = [line for line in lines if line.startswith(b"#")]
        assert header[-3:-1] == [b"##origin=a", b"##origin=b"]
        assert header[-1].startswith(COLUMNS)
        assert sum(line.startswith(b"#CHROM") for line in lines) == 1
        assert [int(line.split(b"\t")[1]) for line in lines[len(header) :]] == expected
    reader = VCF(str(folder / "chr20.empiricalDose.vcf.gz"))
    assert [v.POS for v in reader("chr20:19990-20003")] == [
        p for p in expected if 19_990 <= p <= 20_003
    ]
