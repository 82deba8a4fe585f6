"""The upload check: how fast each stage is beside its peers, and how much memory it needs.

The files are made here. Seconds are those of the clock: for the check from the first to the last
word of a stage of its process. Peers read the same file, and all take turns, each round with
another one first, so that a busy machine is busy for all of them. Memory is the proportional set
size of the child process (PSS, Linux `smaps_rollup`) at its highest, and of the same process before
it reads.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from operator import truediv
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np

from apps.genotypes.bgzf import END_BLOCK, BgzfWriter, read_packed_blocks
from apps.genotypes.sites import write_site_tables
from benchmarks import Row

__all__ = ["run"]

_ROUNDS: Final = 5
_TEXT_BAR: Final = 200.0
_RECORD_BAR: Final = 200_000.0
_GENOTYPE_BAR: Final = 8.0
_PSS_BAR: Final = 150.0
_ABOVE_IDLE_BAR: Final = 50.0
_END: Final = 64_000_000  # of chromosome 20
_POLL_SECONDS: Final = 0.05
_META: Final = b"""\
##fileformat=VCFv4.2
##contig=<ID=chr20,length=64444167>
##INFO=<ID=AF,Number=A,Type=Float,Description="Frequency of ALT">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="Quality of the genotype">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Depth">
"""


@dataclass(frozen=True, kw_only=True)
class Study:
    """What a generated file is like.

    Attributes:
        missing: Share of the genotypes that are `./.`.
        fields: FORMAT; each field but GT is a number of two digits.
    """

    samples: int
    records: int
    missing: float
    fields: str = "GT"

    @property
    def title(self) -> str:
        missing = f"{self.missing:.0%}" if self.missing else "none"
        return f"{self.samples:,} samples, {self.fields}, {missing} missing"


@dataclass(frozen=True, kw_only=True)
class File:
    """A generated study, of so many megabytes of text."""

    path: Path
    study: Study
    megabytes: float


_STUDIES: Final = (
    Study(samples=2_000, records=25_000, missing=0.0),
    Study(samples=2_000, records=25_000, missing=0.01),
    Study(samples=2_000, records=10_000, missing=0.01, fields="GT:GQ:DP"),
    Study(samples=40, records=400_000, missing=0.01),
)


def run(*, share: float = 1.0) -> list[Row]:
    """Measure all; `share` is that of the usual number of records, to try it."""
    with tempfile.TemporaryDirectory(prefix="federated-imputation-bench-") as name:
        folder = Path(name)
        files = [
            _make(folder / f"{number}.vcf.gz", replace(study, records=int(study.records * share)))
            for number, study in enumerate(_STUDIES)
        ]
        tables = folder / "panel"
        write_site_tables(files[-1].path, tables)
        rows = [row for file in files for row in _speed(file, tables)]
        large = folder / "large.vcf.gz"
        for times in (1, 20):
            _repeat(files[1].path, large, times)
            rows += _memory(large, tables, f"{files[1].megabytes * times / 1000:.1f} GB of text")
        return rows


def _make(path: Path, study: Study) -> File:
    """Genotypes of common and rare SNPs."""
    samples, records = study.samples, study.records
    chance = np.random.default_rng(1)
    columns = b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t"
    size = 0
    with BgzfWriter(path) as out:
        size += out.write(_META + columns)
        size += out.write(b"\t".join(b"s%d" % number for number in range(samples)) + b"\n")
        positions = np.sort(chance.choice(_END, records, replace=False)) + 1
        frequencies = chance.beta(0.3, 1.2, records)
        others = study.fields.count(":")
        cells = np.full((samples, 4 + 3 * others), ord("\t"), np.uint8)
        cells[:, 1] = ord("/")
        cells[:, 3:-1:3] = ord(":")
        digits = cells[:, 4:].reshape(samples, others, 3)[:, :, :2]
        for number, (position, carried) in enumerate(zip(positions, frequencies, strict=True)):
            cells[:, 0:3:2] = ord("0") + (chance.random((samples, 2)) < carried)
            cells[chance.random(samples) < study.missing, 0:3:2] = ord(".")
            digits[:] = chance.integers(ord("0"), ord("9") + 1, digits.shape)
            ref, alt = b"ACGT"[number % 4], b"CGTA"[number % 4]
            fixed = b"chr20\t%d\trs%d\t%c\t%c\t.\tPASS\tAF=%.4f\t%s\t"
            line = fixed % (position, number, ref, alt, carried, study.fields.encode())
            size += out.write(line + cells.tobytes()[:-1] + b"\n")
    return File(path=path, study=study, megabytes=size / 1e6)


def _repeat(source: Path, target: Path, times: int) -> None:
    """The blocks of a file again and again: it grows without being compressed again."""
    with source.open("rb") as file:
        blocks = [packed for packed, plain in read_packed_blocks(file) if plain]
    with target.open("wb") as out:
        for _ in range(times):
            out.writelines(blocks)
        out.write(END_BLOCK)


def _speed(file: File, tables: Path) -> Iterator[Row]:
    measures: dict[str, Callable[[], Mapping[str, float]]] = {
        "check": lambda: _stages(file.path, tables),
        "zlib inflate": lambda: _inflate(file.path),
    }
    if shutil.which("bcftools"):
        for words in (["view", "-Ou", "-o", "/dev/null"], ["stats"]):
            command = ["bcftools", *words, str(file.path)]
            measures[f"bcftools {words[0]}"] = partial(_run, command)
    seconds: dict[str, list[float]] = {}
    turns = deque(measures.items())
    for _ in range(_ROUNDS):
        for name, measure in turns:
            for part, value in measure().items():
                seconds.setdefault(f"{name}{part}", []).append(value)
        turns.rotate()
    study = file.study
    genotypes = study.samples * study.records / 1e6
    for name, values in sorted(seconds.items()):
        took = median(values)
        rate = file.megabytes / took
        beside = median(map(truediv, values, seconds["zlib inflate"]))
        note = (
            f"{study.records / took:,.0f} records/s, {genotypes / took:,.1f} M genotypes/s, "
            f"{beside:.1f} x the time of zlib"
        )
        row = Row(figure=f"{name}, {study.title}", value=rate, unit="MB/s of text", note=note)
        if name == "check, stage 2" and study.samples < 1000:
            held = study.records / took >= _RECORD_BAR
            row = _held(row, f"≥ {_RECORD_BAR:,.0f} records/s", held)
        elif name == "check, stage 2" and study.fields == "GT":
            row = _held(row, f"≥ {_TEXT_BAR:.0f} MB/s", rate >= _TEXT_BAR)
        elif name == "check, stage 3":
            held = genotypes / took >= _GENOTYPE_BAR
            row = _held(row, f"≥ {_GENOTYPE_BAR:.0f} M genotypes/s", held)
        yield row
    if "bcftools view" not in measures:
        yield Row(figure=f"bcftools, {study.title}", value=None, note="bcftools is not installed")


def _held(row: Row, bar: str, holds: bool) -> Row:
    return replace(row, bar=bar, holds=holds)


def _run(command: list[str]) -> Mapping[str, float]:
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return {"": time.perf_counter() - began}


def _inflate(path: Path) -> Mapping[str, float]:
    """What any reader must do: unpack the file, member by member, and check it."""
    began = time.perf_counter()
    with path.open("rb") as file:
        for _ in read_packed_blocks(file):
            pass
    return {"": time.perf_counter() - began}


def _command(path: Path, tables: Path) -> list[str]:
    check = [sys.executable, "-m", "apps.genotypes.check", str(path), "--name", path.name]
    return [*check, "--panel", f"panel={tables}"]


def _stages(path: Path, tables: Path) -> Mapping[str, float]:
    """Seconds from the first to the last word of stages 2 and 3."""
    told: dict[int, list[float]] = {}
    with subprocess.Popen(_command(path, tables), stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            said = json.loads(line)
            told.setdefault(said.get("stage", 4), []).append(time.perf_counter())
    # A stage begins where the one before has ended.
    return {
        ", stage 2": told[3][0] - told[1][-1],
        ", stage 3": told[4][0] - told[3][0],
    }


def _memory(path: Path, tables: Path, size: str) -> Iterator[Row]:
    idle = _idle()
    highest = 0.0
    with subprocess.Popen(_command(path, tables), stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        reader = threading.Thread(target=child.stdout.read)
        reader.start()
        while child.poll() is None:
            highest = max(highest, _pss(child.pid))
            time.sleep(_POLL_SECONDS)
        reader.join()
    above = highest - idle
    yield Row(
        figure=f"check, PSS, {size}",
        value=highest,
        unit="MB",
        bar=f"≤ {_PSS_BAR:.0f} MB",
        holds=highest <= _PSS_BAR,
    )
    yield Row(
        figure=f"check, PSS above idle, {size}",
        value=above,
        unit="MB",
        bar=f"≤ {_ABOVE_IDLE_BAR:.0f} MB",
        holds=above <= _ABOVE_IDLE_BAR,
    )


def _idle() -> float:
    """Of a process that has imported the check and does nothing."""
    code = "import apps.genotypes.check.__main__, sys; print('', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        list(islice(child.stdout, 1))
        pss = _pss(child.pid)
        child.kill()
    return pss


def _pss(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6
