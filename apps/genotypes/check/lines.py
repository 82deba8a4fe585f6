"""Cut text into lines, and lines at their tabs, many at a time and without a loop.

The records of a VCF are short and many, or long and few; either way the work is done on whole
pieces of the text as arrays of bytes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from apps.genotypes.bgzf import LineTooLong
from apps.genotypes.check.content import PIECE, Piece
from apps.genotypes.check.header import MAX_LINE
from apps.genotypes.check.words import Flags, Words, read_fixed

__all__ = ["Bytes", "Flags", "Numbers", "Records", "TextLines", "distinct", "whole_lines"]

Numbers = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

_MAX_LINES: Final = 16_384
# Bytes behind the last line, so that a fixed number of bytes can be taken from any place in it.
_PAD: Final = b"\n" * 16
# Nine columns of a letter, or none, and the tabs behind them.
_SHORTEST: Final = 12
# What is before the genotypes of a line that has nothing else in its sample columns.
_FORMAT: Final = np.frombuffer(b"\tGT\t", np.uint8)


def whole_lines(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Cut pieces at line ends, so that each holds whole lines; the last one gets its line feed.

    A line longer than a piece comes alone: beside it a million short ones would be cut at once.

    Raises:
        LineTooLong: no line end within `MAX_LINE` bytes.
    """
    rest: list[bytes] = []
    held = 0
    read = 0
    for piece in pieces:
        read, text = piece.read, piece.text
        if held > PIECE and (end := text.find(b"\n") + 1):
            yield Piece(text=b"".join([*rest, text[:end]]), read=read)
            rest, held, text = [], 0, text[end:]
        if end := text.rfind(b"\n") + 1:
            yield Piece(text=b"".join([*rest, memoryview(text)[:end]]), read=read)
            rest, held = [], 0
        if end < len(text):
            rest.append(text[end:])
            held += len(rest[-1])
        if held > MAX_LINE:
            raise LineTooLong(f"a line is longer than {MAX_LINE} bytes")
    if held:
        yield Piece(text=b"".join([*rest, b"\n"]), read=read)


@dataclass(frozen=True, kw_only=True, eq=False)
class TextLines:
    """Neighbouring lines of a text.

    Attributes:
        text: The text they lie in; carriage returns at line ends have become line feeds.
        starts, ends: Where each starts, and where it ends without its line end.
        returns: Which of them end with a carriage return too.
        numbers: Their numbers in the file, from 1.
    """

    text: bytes
    starts: Numbers
    ends: Numbers
    returns: Flags
    numbers: Numbers

    @classmethod
    def cut(cls, text: bytes, *, first: int) -> "Iterator[TextLines]":
        """Cut whole lines, `_MAX_LINES` at a time: a megabyte may be as many lines.

        Args:
            first: The number of the first one.
        """
        feeds = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n"))
        start = 0
        for low in range(0, len(feeds), _MAX_LINES):
            ends = feeds[low : low + _MAX_LINES]
            stop = int(ends[-1]) + 1
            yield cls._of(text[start:stop], ends - start, first + low)
            start = stop

    @classmethod
    def _of(cls, text: bytes, ends: Numbers, first: int) -> "TextLines":
        starts = np.concatenate(([0], ends[:-1] + 1))
        array = np.frombuffer(text, np.uint8)
        returns = (array[np.maximum(ends - 1, 0)] == ord("\r")) & (ends > starts)
        if returns.any():
            text = text.replace(b"\r\n", b"\n\n")
        return cls(
            text=text,
            starts=starts,
            ends=ends - returns,
            returns=returns,
            numbers=np.arange(first, first + len(ends)),
        )

    def __len__(self) -> int:
        return len(self.starts)

    def columns(self) -> Numbers:
        """How many columns each line has, counted in constant memory."""
        if len(self.text) > 2 * PIECE:
            spans = zip(self.starts.tolist(), self.ends.tolist(), strict=True)
            return np.array([self.text.count(b"\t", a, b) for a, b in spans], np.int64) + 1
        tabs = np.flatnonzero(np.frombuffer(self.text, np.uint8) == ord("\t"))
        low, high = np.searchsorted(tabs, [self.starts, self.ends])
        return np.asarray(high - low + 1)

    def only(self, chosen: Flags) -> "TextLines":
        """Some of the lines, in the same text."""
        return TextLines(
            text=self.text,
            starts=self.starts[chosen],
            ends=self.ends[chosen],
            returns=self.returns[chosen],
            numbers=self.numbers[chosen],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Records:
    """Lines with the right number of columns, cut at their tabs.

    Attributes:
        array: Bytes of the text; when `words` is None with some line feeds behind it.
        tabs: Where the tabs of each line are, shape (lines, 9 or more): the first nine, or all
            when `words` is None.
        words: The genotypes, shape (lines, samples), when they are of three letters each and
            FORMAT is GT alone in all lines; else None.
    """

    lines: TextLines
    array: Bytes
    tabs: Numbers
    words: Words | None

    @classmethod
    def cut(cls, lines: TextLines, samples: int) -> "tuple[Records, Flags]":
        """Cut those lines that have nine columns and one for each sample.

        Returns:
            They, and which of the lines they are.
        """
        array = np.frombuffer(lines.text, np.uint8)
        if (fixed := _cut_fixed(lines, array, samples)) is not None:
            tabs, words = fixed
            records = cls(lines=lines, array=array, tabs=tabs, words=words)
            return records, np.ones(len(lines), bool)
        array = np.frombuffer(lines.text + _PAD, np.uint8)
        wanted = samples + 8
        if len(lines.text) > 2 * PIECE:
            # A line of megabytes may be tabs alone: count before they are told one by one.
            good = lines.columns() == wanted + 1
            lines = lines.only(good)
            inside = np.zeros(len(array), bool)
            for start, end in zip(lines.starts.tolist(), lines.ends.tolist(), strict=True):
                inside[start:end] = array[start:end] == ord("\t")
            table = np.flatnonzero(inside).reshape(len(lines), wanted)
            return cls(lines=lines, array=array, tabs=table, words=None), good
        tabs = np.flatnonzero(array == ord("\t"))
        low, high = np.searchsorted(tabs, [lines.starts, lines.ends])
        good = high - low == wanted
        if not good.all():
            tabs = tabs[np.repeat(good, high - low)]
            lines = lines.only(good)
        table = tabs.reshape(len(lines), wanted)
        return cls(lines=lines, array=array, tabs=table, words=None), good

    def __len__(self) -> int:
        return len(self.lines)

    def field(self, row: int, column: int) -> bytes:
        """One of the first nine columns of a line, counted from 0."""
        start = self.lines.starts[row] if column == 0 else self.tabs[row, column - 1] + 1
        return self.lines.text[int(start) : int(self.tabs[row, column])]

    def cells(self, row: int) -> bytes:
        """All sample columns of a line, with the tabs between them."""
        return self.lines.text[int(self.tabs[row, 8]) + 1 : int(self.lines.ends[row])]

    def cell_starts(self) -> Words:
        """The first four bytes of each sample column, whatever they are, shape (lines, samples).

        Only where `tabs` are all.
        """
        every: Words = np.ndarray(
            len(self.array) - 4, np.dtype("<u4"), self.array, offset=1, strides=(1,)
        )
        return every[self.tabs[:, 8:]]

    def only(self, chosen: Flags) -> "Records":
        """Some of the lines."""
        return Records(
            lines=self.lines.only(chosen),
            array=self.array,
            tabs=self.tabs[chosen],
            words=None if self.words is None else self.words[chosen],
        )


def _cut_fixed(lines: TextLines, array: Bytes, samples: int) -> tuple[Numbers, Words] | None:
    """Cut lines of FORMAT GT and three letters for each genotype.

    Then the genotypes have one place only, at the end of the line, and nine tabs are to be found in
    what is before them.

    Returns:
        The first nine tabs of each line, and the genotypes; None when a line is otherwise.
    """
    cells = lines.ends - (4 * samples - 1)
    heads_length = cells - lines.starts
    # Megabytes before the genotypes would be tabs alone: they are counted first.
    if not len(lines) or heads_length.min() < _SHORTEST or heads_length.sum() > 2 * PIECE:
        return None
    form = sliding_window_view(array, len(_FORMAT))[cells - len(_FORMAT)]
    if (form != _FORMAT).any():
        return None
    spans = zip(lines.starts.tolist(), cells.tolist(), strict=True)
    heads = b"".join([lines.text[start:cell] for start, cell in spans])
    tabs = np.flatnonzero(np.frombuffer(heads, np.uint8) == ord("\t"))
    if len(tabs) != 9 * len(lines):
        return None
    stops = np.cumsum(heads_length)
    table = tabs.reshape(len(lines), 9) + (cells - stops)[:, None]
    if ((table[:, 8] != cells - 1) | (table[:, 0] < lines.starts)).any():
        return None
    text = sliding_window_view(array, 4 * samples)[cells]
    text[:, -1] = ord("\t")
    words = text.view("<u4")
    return (table, words) if read_fixed(words) else None


def distinct(numbers: Numbers) -> list[int]:
    """Which small numbers there are, none below 0, in their order.

    `np.unique` is slower for a few different ones, and loads masked arrays.
    """
    return np.flatnonzero(np.bincount(numbers)).tolist()
