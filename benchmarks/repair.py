"""What a repair costs: time against bcftools, and memory at any size.

The file is packed text of 1,000 samples whose records are shuffled. Ours runs as the platform runs
it, as a child process; bcftools does the same on the same file, in turns. Memory is the largest
resident set of the process, so it counts shared pages in full.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from apps.genotypes.bgzf import BgzfWriter
from benchmarks import Row

__all__ = ["run"]

_SAMPLES: Final = 1000
_ROUNDS: Final = 3
_TEXT_MB: Final = (30, 300)
_META: Final = b"""\
##fileformat=VCFv4.2
##contig=<ID=20,length=63025520>
##FILTER=<ID=PASS,Description="All filters passed">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
"""
_HEAD: Final = _META + b"\t".join(
    b"#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT".split()
    + [b"s%d" % number for number in range(_SAMPLES)]
)


class Cost(NamedTuple):
    seconds: float
    cpu_seconds: float
    peak_mb: float


def run() -> list[Row]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="federated-imputation-bench-") as name:
        folder = Path(name)
        for megabytes in _TEXT_MB:
            file = folder / f"shuffled{megabytes}.vcf.gz"
            size = _write(file, megabytes)
            rows += _measure(folder, file, size, megabytes)
    if not shutil.which("bcftools"):
        rows.append(Row(figure="bcftools", value=None, note="bcftools is not installed"))
    return rows


def _measure(folder: Path, file: Path, size: int, megabytes: int) -> list[Row]:
    ours: list[Cost] = []
    theirs: list[Cost] = []
    into = folder / "out"
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "apps.genotypes.repair",
        file,
        "--into",
        into,
    ]
    bcftools = shutil.which("bcftools")
    for _ in range(_ROUNDS if megabytes < 100 else 1):
        ours.append(_cost([*command, "--do", "sort,index"]))
        shutil.rmtree(into)
        if bcftools:
            sort: list[str | Path] = [bcftools, "sort", "-m", "32M", "-T", folder / "runs", "-Oz"]
            theirs.append(_cost([*sort, "-o", folder / "theirs.vcf.gz", file]))
    what = f"sort and index, {megabytes} MB of text"
    packed = f"{file.stat().st_size / 1e6:.0f} MB packed"
    rows = [
        Row(
            figure=f"{what}, ours",
            value=size / 1e6 / median(cost.cpu_seconds for cost in ours),
            unit="MB/s of CPU",
            note=f"{packed}; wall {median(cost.seconds for cost in ours):.1f} s",
        ),
        Row(
            figure=f"{what}, peak memory",
            value=(peak := max(cost.peak_mb for cost in ours)),
            unit="MB",
            bar="≤ 150",
            holds=peak <= 150,
        ),
    ]
    if theirs:
        rows.append(
            Row(
                figure=f"{what}, bcftools sort -m 32M",
                value=size / 1e6 / median(cost.cpu_seconds for cost in theirs),
                unit="MB/s of CPU",
                note=f"peak memory {max(cost.peak_mb for cost in theirs):.0f} MB; no index",
            )
        )
    return rows


def _write(path: Path, megabytes: int) -> int:
    """A packed VCF with its records shuffled; returns the bytes of its text."""
    generator = random.Random(megabytes)  # noqa: S311 - of genotypes, not of keys
    cells = [
        b"\t".join(generator.choices([b"0|0", b"0|1", b"1|0", b"1|1"], [80, 8, 8, 4], k=_SAMPLES))
        for _ in range(400)
    ]
    records = megabytes * 1_000_000 // (len(cells[0]) + 40)
    size = len(_HEAD) + 1
    with BgzfWriter(path, level=1) as out:
        out.write(_HEAD + b"\n")
        for position in generator.sample(range(1, 60_000_000), records):
            fixed = b"20\t%d\t.\tA\tC\t.\tPASS\t.\tGT\t" % position
            size += out.write(fixed + generator.choice(cells) + b"\n")
    return size


def _cost(command: Sequence[str | Path]) -> Cost:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed.
    """
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{command[0]} failed")
    return Cost(
        time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
    )
