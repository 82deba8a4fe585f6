"""Sorting the records of a file of any size in bounded memory: an external merge sort.

Records are gathered until they fill the memory, sorted, and written to a run; then the runs are
merged (Knuth, The Art of Computer Programming, volume 3, section 5.4). Records of equal position
keep their order. A run that continues the last one is added to it, so a file that is sorted already
makes one run, and one that fits into the memory makes none.

Runs are written packed, fast and less well than the result: they need about 1.5 times the room of a
packed file, and as long as runs are merged to longer runs, twice that.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from apps.genotypes.bgzf import BgzfWriter, read_blocks, read_lines
from apps.genotypes.repair.progress import Progress
from apps.genotypes.repair.text import MAX_CHROMOSOMES, MAX_LINE, too_many_chromosomes

__all__ = ["ChromosomeOrder", "RecordSort"]

_MEMORY = 32 * 1024 * 1024
# What Python keeps for a line and its key beside the bytes of the line.
_OVERHEAD = 120
# A repair before may have made a line a little longer than those that are read.
_MAX_LINE = 2 * MAX_LINE
# A run that is read holds a block, its lines, and the longest line twice.
_READER = 256 * 1024
_FAN_IN = 100  # below the 256 open files that some systems allow

_NATURAL = {
    spelling: number
    for number, name in enumerate([*map(str, range(1, 23)), "X", "Y", "MT"])
    for spelling in (name.encode(), f"chr{name}".encode())
} | {b"chrM": 24, b"M": 24, b"23": 22, b"24": 23, b"26": 24}


class ChromosomeOrder:
    """The order of chromosomes: as the header lists them, then 1 to 22, X, Y, MT, then as met."""

    def __init__(self, contigs: Iterable[bytes]) -> None:
        self._ranks: dict[bytes, int] = {}
        for contig in contigs:
            self._ranks.setdefault(contig, len(self._ranks))
        self._natural = len(self._ranks)
        self._other = self._natural + len(_NATURAL)

    def key(self, record: bytes) -> int:
        """What to sort a record by: its chromosome, then its position."""
        chromosome, position, _ = record.split(b"\t", 2)
        rank = self._ranks.get(chromosome)
        if rank is None:
            rank = self._add(chromosome)
        return rank << 32 | int(position)

    def _add(self, chromosome: bytes) -> int:
        if len(self._ranks) > MAX_CHROMOSOMES:
            raise too_many_chromosomes()
        if chromosome in _NATURAL:
            rank = self._natural + _NATURAL[chromosome]
        else:
            rank = self._other
            self._other += 1
        self._ranks[chromosome] = rank
        return rank


class RecordSort:
    """One sort.

    Args:
        folder: Where runs are written; whoever gave it removes what is left in it.
        memory: Bytes that records may take before they are written to a run.

    Attributes:
        moved: How many records came after one that belongs behind them.
    """

    def __init__(self, folder: Path, key: Callable[[bytes], int], *, memory: int = _MEMORY) -> None:
        self.moved = 0
        self._folder = folder
        self._key = key
        self._memory = memory
        self._longest = 0
        self._count = 0
        self._runs: list[Path] = []
        self._made = 0

    def sorted(self, records: Iterable[bytes], progress: Progress) -> Iterator[bytes]:
        """Read all records, then yield them sorted, those of equal keys in their order."""
        held = self._write_runs(records)
        if not self._runs:
            yield from held
            return
        fan_in = max(2, min(_FAN_IN, self._memory // (_READER + 2 * self._longest)))
        while len(self._runs) > fan_in:
            self._runs = [
                self._write(self._merged(self._runs[at : at + fan_in]))
                for at in range(0, len(self._runs), fan_in)
            ]
        for number, record in enumerate(self._merged(self._runs), start=1):
            if number % 1000 == 0:
                progress.at(number, self._count)
            yield record

    def _write_runs(self, records: Iterable[bytes]) -> list[bytes]:
        """Write sorted runs; return the records, sorted, when they all fit into the memory."""
        held: list[tuple[int, bytes]] = []
        size = 0
        highest = last_written = -1
        run: BgzfWriter | None = None
        with ExitStack() as opened:
            for record in records:
                key = self._key(record)
                if key < highest:
                    self.moved += 1
                else:
                    highest = key
                held.append((key, record))
                size += len(record) + _OVERHEAD
                if size < self._memory:
                    continue
                held.sort(key=_first)
                if run is None or held[0][0] < last_written:
                    opened.close()
                    run = opened.enter_context(BgzfWriter(self._next_run(), level=1))
                self._fill(run, (record for _, record in held))
                last_written = held[-1][0]
                held, size = [], 0
            held.sort(key=_first)
            if run is None:
                return [record for _, record in held]
            if held and held[0][0] < last_written:
                opened.close()
                run = opened.enter_context(BgzfWriter(self._next_run(), level=1))
            self._fill(run, (record for _, record in held))
        return []

    def _next_run(self) -> Path:
        self._made += 1
        path = self._folder / f"run{self._made}"
        self._runs.append(path)
        return path

    def _fill(self, run: BgzfWriter, records: Iterable[bytes]) -> None:
        for record in records:
            self._longest = max(self._longest, len(record))
            self._count += 1
            run.write(record + b"\n")

    def _write(self, records: Iterable[bytes]) -> Path:
        self._made += 1
        path = self._folder / f"run{self._made}"
        with BgzfWriter(path, level=1) as run:
            for record in records:
                run.write(record + b"\n")
        return path

    def _merged(self, runs: list[Path]) -> Iterator[bytes]:
        """Merge runs, the earlier first where keys are equal, and remove them."""
        with ExitStack() as opened:
            yield from heapq.merge(
                *(opened.enter_context(_reading(run)) for run in runs), key=self._key
            )
        for run in runs:
            run.unlink()


@contextmanager
def _reading(run: Path) -> Iterator[Iterator[bytes]]:
    with run.open("rb") as file:
        yield read_lines(read_blocks(file), max_line=_MAX_LINE)


def _first(held: tuple[int, bytes]) -> int:
    return held[0]
