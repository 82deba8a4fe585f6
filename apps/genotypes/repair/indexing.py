"""Tabix indexes of files that strangers made: their trouble is a refusal, their size is bounded."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from apps.genotypes.repair.refusals import Refused
from apps.genotypes.tabix import TabixIndex

__all__ = ["IndexRoom", "IndexedRecords", "Line"]

_END: Final = re.compile(rb"(?:^|;)END=(\d{1,10})(?:;|$)")
_MAX_CHROMOSOMES: Final = 10_000
# An index keeps something for each 16 kb up to the last record; a human genome has 190,000 of them.
_MAX_WINDOWS: Final = 500_000
_WINDOW: Final = 1 << 14

# Tells the line of the file that is being read, from 1; None when records were sorted meanwhile.
Line = Callable[[], int | None]


class IndexRoom:
    """What all indexes of a run may take together."""

    def __init__(self) -> None:
        self._windows = self._chromosomes = 0

    def take(self, *, chromosomes: int = 0, windows: int = 0) -> None:
        """Take some of it.

        Raises:
            Refused: there is no more.
        """
        self._chromosomes += chromosomes
        self._windows += windows
        if self._chromosomes > _MAX_CHROMOSOMES or self._windows > _MAX_WINDOWS:
            raise Refused(
                "too-many-chromosomes",
                f"The file has more than {_MAX_CHROMOSOMES:,} chromosomes, or longer ones than any "
                "genome: it cannot be indexed.",
                remedy="Keep 1 to 22 and X; services impute no others.",
            )


class IndexedRecords:
    """An index that grows record by record."""

    def __init__(self, room: IndexRoom, line: Line) -> None:
        self._room = room
        self._line = line
        self._index = TabixIndex()
        self._last = b""
        self._windows = 0

    def add(self, record: bytes, start: int, stop: int) -> None:
        """Note a record at these virtual offsets.

        Raises:
            Refused: the records are not sorted, or more or farther than an index can hold.
        """
        chromosome, text, _, ref, rest = record.split(b"\t", 4)
        position = int(text)
        length = len(ref)
        if b"END=" in rest and (found := _END.search(rest.split(b"\t", 4)[3])):
            length = max(length, int(found[1]) - position + 1)
        if chromosome != self._last:
            self._room.take(chromosomes=1)
            self._last = chromosome
            self._windows = 0
        reached = (position + length) // _WINDOW
        if reached > self._windows:
            self._room.take(windows=reached - self._windows)
            self._windows = reached
        try:
            self._index.add(chromosome, position, length, start, stop)
        except ValueError as error:
            where = f"{chromosome[:40].decode('utf-8', 'replace')}:{position}"
            if "beyond" in str(error):
                raise Refused(
                    "position",
                    f"{where} is beyond what a tabix index can hold.",
                    line=self._line(),
                ) from error
            raise Refused(
                "unsorted",
                f"The file cannot be indexed: {where} is out of order.",
                remedy="Sort it in the same run.",
                line=self._line(),
                repair="sort",
            ) from error

    def write(self, path: Path) -> None:
        """Write it.

        Raises:
            OSError: the disk refuses.
        """
        self._index.write(path)
