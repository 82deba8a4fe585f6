"""Files of the kit, damaged in the ways that people's files are."""

import gzip
from pathlib import Path
from random import Random

from apps.genotypes.bgzf import BgzfWriter

KIT = Path(__file__).resolve().parents[5] / "apps" / "node" / "kit"
STUDY = KIT / "target.phased.vcf.gz"


def plain(path: Path) -> bytes:
    """The text of a packed file, by another reader than ours."""
    return gzip.decompress(path.read_bytes())


def parts(text: bytes) -> tuple[list[bytes], list[bytes]]:
    """Header lines and records."""
    lines = text.splitlines()
    return [x for x in lines if x.startswith(b"#")], [x for x in lines if not x.startswith(b"#")]


def join(header: list[bytes], records: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in [*header, *records])


def study() -> tuple[list[bytes], list[bytes]]:
    return parts(plain(STUDY))


def shuffled(records: list[bytes], seed: int = 1) -> list[bytes]:
    return Random(seed).sample(records, len(records))


def with_chromosomes(records: list[bytes], names: list[bytes]) -> list[bytes]:
    """The records spread over chromosomes, in turn."""
    return [
        names[number % len(names)] + b"\t" + record.split(b"\t", 1)[1]
        for number, record in enumerate(records)
    ]


def write_bgzf(path: Path, text: bytes) -> Path:
    with BgzfWriter(path) as out:
        out.write(text)
    return path
