"""What a phasing program reads: the sites of a window that study and panel share, made plain.

The files tell the program genotypes, positions and genetic places, and nothing else. Samples are
numbered, since Beagle throws when study and panel share a name. All alleles are A and C, and a
second variant of one position is put a base further on, so that indels and sites with several
alleles are phased like all others. The chromosome is called 1, since the programs treat names
that they do not know in ways of their own. A haploid genotype is written as a homozygous one, and
a panel with an odd number of haplotypes, as chromosome X has, with its last one twice.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from apps.genotypes.bgzf import BgzfWriter
from apps.genotypes.calls import ABSENT, Calls, format_calls, parse_calls
from apps.genotypes.tabix import TabixIndex
from apps.genotypes.vcf import read_header, vcf_lines
from apps.node.pipeline.genetic_map import centimorgans
from apps.node.pipeline.panel_index import PanelIndex
from apps.node.pipeline.phasing.protocol import PhasingTask

__all__ = ["CHROMOSOME", "Record", "Sent", "read_records", "write_inputs"]

CHROMOSOME = "1"

# A thousandth of what is usual.
_LEAST_CM_PER_BASE = 1e-9
# Genotypes of the panel that are unpacked at once.
_BLOCK = 4_000_000


class Record(NamedTuple):
    """One record of a file of the pipeline.

    Attributes:
        fixed: Its columns up to FORMAT.
    """

    position: int
    ref: bytes
    alt: bytes
    fixed: bytes
    calls: Calls


def read_records(path: Path) -> Iterator[Record]:
    """The records of a VCF of which only GT matters, in order."""
    with vcf_lines(path) as lines:
        samples = len(read_header(path, lines).samples)
        for line in lines:
            columns = line.split(b"\t", 9)
            fixed = b"\t".join([*columns[:8], b"GT"])
            calls = parse_calls(columns[8], columns[9], samples)
            yield Record(int(columns[1]), columns[3], columns[4], fixed, calls)


@dataclass(frozen=True, kw_only=True, eq=False)
class Sent:
    """The study's records of a window, and what of them a program is given.

    Attributes:
        path: VCF, BGZF, only GT.
        shared: Which records are at sites of the panel, shape (records,).
        panel: Index of those into the panel, shape (M,).
        positions: Positions that they are given, strictly rising, shape (M,).
        haploid: Which samples have haploid genotypes, shape (samples,).
    """

    path: Path
    shared: npt.NDArray[np.bool_]
    panel: npt.NDArray[np.int64]
    positions: npt.NDArray[np.int64]
    haploid: npt.NDArray[np.bool_]


def write_inputs(
    targets: Path,
    index: PanelIndex,
    *,
    map_file: Path | None,
    threads: int,
    memory_mb: int,
    folder: Path,
) -> tuple[PhasingTask, Sent]:
    """Write the files of one window, reading and writing record by record.

    Args:
        targets: The study's records of the window, sorted.
        index: The panel.
        map_file: Its genetic map.
        folder: Where to write.

    Raises:
        PanelError: the map cannot be read.
    """
    task_targets, reference = folder / "targets.vcf.gz", folder / "reference.vcf.gz"
    sent = _write_targets(targets, index, task_targets)
    _write_reference(index, sent, reference)
    task = PhasingTask(
        targets=task_targets,
        reference=reference,
        positions=sent.positions,
        centimorgans=_rising(centimorgans(sent.positions, map_file), sent.positions),
        threads=threads,
        memory_mb=memory_mb,
        folder=folder,
    )
    return task, sent


def _rising(
    places: npt.NDArray[np.float64], positions: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """The places with a slope too small to matter: where a map is flat, Beagle never ends."""
    return places + (positions - positions[:1]) * _LEAST_CM_PER_BASE


def _write_targets(source: Path, index: PanelIndex, path: Path) -> Sent:
    panel: list[int] = []
    positions: list[int] = []
    shared: list[bool] = []
    haploid = np.zeros(0, bool)
    with ExitStack() as stack:
        out: _Writer | None = None
        for record in read_records(source):
            if out is None:
                out = stack.enter_context(_Writer(path, "S", len(record.calls), phased=False))
                haploid = np.zeros(len(record.calls), bool)
            haploid |= record.calls[:, 1] == ABSENT
            place = _find(index, record)
            shared.append(place is not None)
            if place is None:
                continue
            panel.append(place)
            positions.append(max(record.position, positions[-1] + 1 if positions else 0))
            calls = record.calls
            out.add(positions[-1], np.where(calls == ABSENT, calls[:, :1], calls))
    return Sent(
        path=source,
        shared=np.array(shared, bool),
        panel=np.array(panel, np.int64),
        positions=np.array(positions, np.int64),
        haploid=haploid,
    )


def _find(index: PanelIndex, record: Record) -> int | None:
    """The panel's site of a record."""
    places = index.between(record.position, record.position)
    for place, (_, ref, alt) in zip(places, index.texts(places), strict=True):
        if (ref, alt) == (record.ref, record.alt):
            return place
    return None


def _write_reference(index: PanelIndex, sent: Sent, path: Path) -> None:
    size = max(1, _BLOCK // index.haplotypes)
    with _Writer(path, "R", (index.haplotypes + 1) // 2, phased=True) as out:
        for low in range(0, len(sent.panel), size):
            block = slice(low, low + size)
            alleles = index.alleles(sent.panel[block]).astype(np.int8)
            if index.haplotypes % 2:
                alleles = np.concatenate([alleles, alleles[:, -1:]], axis=1)
            for position, row in zip(sent.positions[block].tolist(), alleles, strict=True):
                out.add(position, row.reshape(-1, 2))


class _Writer:
    """Write a plain VCF with its index."""

    def __init__(self, path: Path, letter: str, samples: int, *, phased: bool) -> None:
        self._path = path
        self._phased = phased
        self._out = BgzfWriter(path, level=1)
        self._index = TabixIndex()
        columns: Sequence[str] = [
            *("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"),
            *(f"{letter}{number}" for number in range(samples)),
        ]
        header = (
            "##fileformat=VCFv4.2\n"
            f"##contig=<ID={CHROMOSOME}>\n"
            '##FILTER=<ID=PASS,Description="All filters passed">\n'
            '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
        )
        self._out.write((header + "\t".join(columns) + "\n").encode())

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self._out.close()
        self._index.write(self._path.with_name(f"{self._path.name}.tbi"))

    def add(self, position: int, calls: Calls) -> None:
        start = self._out.tell()
        self._out.write(
            b"%b\t%d\t.\tA\tC\t.\tPASS\t.\tGT\t%b\n"
            % (CHROMOSOME.encode(), position, format_calls(calls, phased=self._phased))
        )
        self._index.add(CHROMOSOME.encode(), position, 1, start, self._out.tell())
