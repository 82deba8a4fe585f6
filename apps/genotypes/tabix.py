"""Tabix indexes (.tbi) of VCF files, without a tabix binary.

The format is that of the Tabix specification (Li 2011, Bioinformatics 27:718): for each
chromosome a binning index, that tells in which pieces of the file the records of a stretch lie,
and a linear index, that tells for each 16 kb where the first record reaching it starts. A bin that
no record can be in tells where the chromosome lies and how many records it has, as in the index of
BAM (SAM specification, section 5.2): programs that count records read it there.
"""

import struct
from pathlib import Path

from apps.genotypes.bgzf import BgzfWriter

__all__ = ["TabixIndex"]

_WINDOW_SHIFT = 14
_VCF = 2
_COUNTS = 37450


class TabixIndex:
    """Collect where the records of a BGZF file lie while it is written, then write its index."""

    def __init__(self) -> None:
        self._names: dict[bytes, None] = {}
        self._current: bytes | None = None
        self._bins: list[dict[int, list[list[int]]]] = []
        self._windows: list[list[int]] = []
        self._extents: list[list[int]] = []
        self._last = (-1, 0)

    def add(self, chromosome: bytes, position: int, ref_length: int, start: int, stop: int) -> None:
        """Note one record.

        Args:
            position: Its POS, from 1.
            ref_length: Number of bases of REF.
            start, stop: Virtual offsets of its line's first byte and of the byte after its end,
                as `BgzfWriter.tell` gives them.

        Raises:
            ValueError: records come out of order, or beyond what the format can hold.
        """
        if chromosome != self._current:
            if chromosome in self._names:
                raise ValueError("the records of a chromosome must follow each other")
            self._names[chromosome] = None
            self._current = chromosome
            self._bins.append({})
            self._windows.append([])
            self._extents.append([start, stop, 0])
        at = (len(self._names), position)
        if at < self._last:
            raise ValueError("the records must be sorted by position")
        self._last = at
        first, end = position - 1, position - 1 + max(ref_length, 1)
        if not 0 <= first < end <= 1 << 29:
            raise ValueError("the position is beyond what a tabix index can hold")
        self._extents[-1][1:] = stop, self._extents[-1][2] + 1
        pieces = self._bins[-1].setdefault(_bin(first, end), [])
        if pieces and pieces[-1][1] == start:
            pieces[-1][1] = stop
        else:
            pieces.append([start, stop])
        windows = self._windows[-1]
        reached = (end - 1) >> _WINDOW_SHIFT
        # A window that no record reaches points where the next record starts.
        windows.extend([start] * (reached + 1 - len(windows)))

    def write(self, path: Path) -> None:
        """Write the index, usually to the file's name plus `.tbi`."""
        names = b"".join(name + b"\0" for name in self._names)
        with BgzfWriter(path) as out:
            out.write(
                struct.pack(
                    "<4s8i", b"TBI\1", len(self._names), _VCF, 1, 2, 0, ord("#"), 0, len(names)
                )
            )
            out.write(names)
            for bins, windows, (first, last, records) in zip(
                self._bins, self._windows, self._extents, strict=True
            ):
                out.write(struct.pack("<i", len(bins) + 1))
                for number in sorted(bins):
                    pieces = bins[number]
                    out.write(struct.pack("<Ii", number, len(pieces)))
                    out.write(b"".join(struct.pack("<QQ", *piece) for piece in pieces))
                out.write(struct.pack("<Ii4Q", _COUNTS, 2, first, last, records, 0))
                out.write(struct.pack("<i", len(windows)))
                out.write(struct.pack(f"<{len(windows)}Q", *windows))


def _bin(first: int, end: int) -> int:
    """The smallest bin that holds the stretch [first, end), counted from 0 (specification)."""
    last = end - 1
    for level in range(5, 0, -1):
        shift = 29 - 3 * level
        if first >> shift == last >> shift:
            return ((1 << 3 * level) - 1) // 7 + (first >> shift)
    return 0
