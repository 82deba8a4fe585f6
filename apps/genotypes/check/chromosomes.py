"""The chromosomes of a file: their names, their order, and how far they reach."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from apps.genotypes.builds import plain_name
from apps.genotypes.check.facts import ChromosomeFacts
from apps.genotypes.check.findings import shown
from apps.genotypes.check.lines import Flags, Numbers, Records
from apps.genotypes.chromosome_x import XRegion, x_region

__all__ = ["Chromosome", "Chromosomes"]

# Names that are told apart; a file of a million contigs has one line in the report.
_MAX_NAMES: Final = 200
_MAX_NAME: Final = 64
_REGIONS: Final = tuple(XRegion)


@dataclass(kw_only=True)
class Chromosome:
    """One spelling of a chromosome.

    Attributes:
        name: Without `chr`, 23 as X; None when it is none that can be imputed.
        first, last: Lowest and highest position so far.
    """

    spelled: bytes
    name: str | None
    records: int = 0
    first: int = 0
    last: int = 0

    def count(self, positions: Numbers) -> None:
        first, last = int(positions.min()), int(positions.max())
        self.first = min(first, self.first) if self.records else first
        self.last = max(last, self.last)
        self.records += len(positions)

    def facts(self) -> ChromosomeFacts:
        return ChromosomeFacts(
            name=self.name,
            spelled=shown(self.spelled, 20),
            records=self.records,
            first=self.first,
            last=self.last,
        )


class Chromosomes:
    """The chromosomes seen so far, by number in the order of the file."""

    def __init__(self) -> None:
        self.all: list[Chromosome] = []
        self._numbers: dict[bytes, int] = {}
        self._current = -1
        self._last = (-1, 0)
        self._ended: set[int] = set()

    def read(self, records: Records) -> Numbers:
        """The number of the chromosome of each line."""
        numbers = np.full(len(records), self._current, np.int64)
        rows: Iterable[int] = range(len(records))
        if self._current >= 0:
            rows = np.flatnonzero(~self._is_current(records)).tolist()
        for row in rows:
            numbers[row] = self._number(records.field(row, 0))
        self._current = int(numbers[-1])
        return numbers

    def order(self, numbers: Numbers, positions: Numbers) -> tuple[Flags, Flags]:
        """Compare each line with the one before it.

        Returns:
            Lines at the position of the line before; lines that come too late.
        """
        last_number, last_position = self._last
        self._last = int(numbers[-1]), int(positions[-1])
        before = np.concatenate(([last_position], positions[:-1]))
        numbers_before = np.concatenate(([last_number], numbers[:-1]))
        changed = numbers != numbers_before
        late = ~changed & (positions < before)
        for row in np.flatnonzero(changed).tolist():
            self._ended.add(int(numbers_before[row]))
            late[row] = int(numbers[row]) in self._ended
        return ~changed & (positions == before), late

    def places(self, numbers: Numbers, positions: Numbers, build: str) -> Numbers:
        """A number for the chromosome of each line, and for the region on chromosome X."""
        places = numbers * len(_REGIONS)
        for number, chromosome in enumerate(self.all):
            if chromosome.name == "X":
                for row in np.flatnonzero(numbers == number).tolist():
                    region = x_region(int(positions[row]), build)
                    places[row] += _REGIONS.index(region)
        return places

    def place_name(self, place: int) -> str:
        """What the service calls it: a chromosome without `chr`, or `X.nonPAR`."""
        number, region = divmod(place, len(_REGIONS))
        name = self.all[number].name or ""
        return _REGIONS[region].value if name == "X" else name

    def _is_current(self, records: Records) -> Flags:
        expected = self.all[self._current].spelled
        starts = records.lines.starts
        same = records.tabs[:, 0] - starts == len(expected)
        for at, byte in enumerate(expected):
            same &= records.array[np.minimum(starts + at, len(records.array) - 1)] == byte
        return np.asarray(same)

    def _number(self, spelled: bytes) -> int:
        spelled = spelled[:_MAX_NAME]
        if (known := self._numbers.get(spelled)) is not None:
            return known
        name = plain_name(spelled.decode("ascii", "replace"))
        if name is None and len(self.all) >= _MAX_NAMES:
            spelled = b"others"
        if spelled not in self._numbers:
            self._numbers[spelled] = len(self.all)
            self.all.append(Chromosome(spelled=spelled, name=name))
        return self._numbers[spelled]
