"""Genotypes of many lines at once, as a few bits for each.

A genotype of VCF is up to four bytes: an allele, a separator, an allele, and the tab, colon or line
end behind them. Every byte is turned into bits by one table, and four bytes are then one number, so
that a million genotypes are judged by a handful of operations. What does not fit into four bytes
(allele 10, three alleles) is parsed by `parse_calls`, line by line.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from apps.genotypes.calls import ABSENT, MISSING, CallsError, parse_calls
from apps.genotypes.check.lines import Bytes, Flags, Numbers, Records

__all__ = ["Genotypes", "read_genotypes"]

Words = npt.NDArray[np.uint32]

# Bits of one byte.
_CARRIED, _MISSING, _MANY = 0x01, 0x02, 0x10
_SEPARATOR, _SLASH, _END, _BAD = 0x04, 0x20, 0x08, 0x80
# Those that tell what kind of byte it is; an allele has none of them.
_KIND = _SEPARATOR | _END | _BAD
_COLON = _SLASH

_TABLE: Final = bytes(
    _CARRIED
    if byte == ord("1")
    else _CARRIED | _MANY
    if byte in b"23456789"
    else 0
    if byte == ord("0")
    else {
        ord("."): _MISSING,
        ord("|"): _SEPARATOR,
        ord("/"): _SEPARATOR | _SLASH,
        ord("\t"): _END,
        ord(":"): _END | _COLON,
        ord("\n"): _END,
    }.get(byte, _BAD)
    for byte in range(256)
)
_LOOKUP: Final = np.frombuffer(_TABLE, np.uint8)


def _word(first: int, separator: int = 0, second: int = 0, end: int = 0) -> np.uint32:
    return np.uint32(first | separator << 8 | second << 16 | end << 24)


_KINDS: Final = _word(_KIND, _KIND, _KIND, _KIND)
_KINDS_AND_COLON: Final = _word(_KIND, _KIND, _KIND, _KIND | _COLON)
_DIPLOID: Final = _word(0, _SEPARATOR, 0, _END)
_FIRST_TWO: Final = _word(_KIND, _KIND)
_HAPLOID: Final = _word(0, _END)
_FIRST_ONLY: Final = np.uint32(0xFF)
_ANY_CARRIED: Final = _word(_CARRIED, 0, _CARRIED)
_ANY_MANY: Final = _word(_MANY, 0, _MANY)
_ANY_SLASH: Final = _word(0, _SLASH)
_FIRST_MISSING: Final = _word(_MISSING)
_SECOND_MISSING: Final = _word(0, 0, _MISSING)
_BOTH_MISSING: Final = _FIRST_MISSING | _SECOND_MISSING
# A mark of ours, where the separator's bits are free.
_ONE_ALLELE: Final = _word(0, 0x40)


@dataclass(frozen=True, kw_only=True, eq=False)
class Genotypes:
    """Genotypes of some lines.

    Attributes:
        words: The bits of each, shape (lines, samples); of no meaning for malformed lines.
        malformed: By number of the line: why its genotypes are none.
    """

    words: Words
    malformed: dict[int, str]

    def missing_at(self, lines: Flags) -> Flags:
        """Whether no allele was called, in some of the lines, shape (those lines, samples)."""
        return np.asarray((self.words[lines] & _BOTH_MISSING) == _BOTH_MISSING)

    @property
    def any_missing(self) -> Flags:
        """Lines in which an allele is missing."""
        return np.asarray((self._any & _BOTH_MISSING) != 0)

    @property
    def any_carried(self) -> Flags:
        """Lines with an ALT allele."""
        return np.asarray((self._any & _ANY_CARRIED) != 0)

    @property
    def any_many(self) -> Flags:
        """Lines with an allele of number 2 or more."""
        return np.asarray((self._any & _ANY_MANY) != 0)

    @property
    def any_haploid(self) -> Flags:
        """Lines with a genotype of one allele that is not missing."""
        return np.asarray((self._any & _ONE_ALLELE) != 0)

    @property
    def any_slash(self) -> Flags:
        """Lines with `/` between the alleles of a genotype."""
        return np.asarray((self._any & _ANY_SLASH) != 0)

    @cached_property
    def _any(self) -> Words:
        return np.asarray(np.bitwise_or.reduce(self.words, axis=1))

    def only(self, lines: Flags) -> "Genotypes":
        """Those of some of the lines, none of them malformed."""
        return Genotypes(words=self.words[lines], malformed={})

    def carried(self) -> Bytes:
        """How many ALT alleles each has, shape (lines, samples)."""
        halves = self.words & _ANY_CARRIED
        return (halves + (halves >> np.uint32(16))).astype(np.uint8)

    def diploid_at(self, lines: Flags) -> Flags:
        """Whether two alleles are called, in some of the lines, shape (those lines, samples)."""
        return np.asarray((self.words[lines] & (_BOTH_MISSING | _ONE_ALLELE)) == 0)

    def called_at(self, lines: Flags) -> Numbers:
        """How many alleles are called in each of some lines."""
        words = self.words[lines]
        lacking = ((words & _FIRST_MISSING) != 0).sum(axis=1)
        lacking += ((words & (_SECOND_MISSING | _ONE_ALLELE)) != 0).sum(axis=1)
        return np.asarray(2 * words.shape[1] - lacking)

    def calls(self, row: int) -> npt.NDArray[np.int8]:
        """Alleles of one line: 0, 1 (or more), `MISSING` or `ABSENT`, shape (samples, 2)."""
        words = self.words[row]
        calls = np.empty((len(words), 2), np.int8)
        for column, shift in enumerate((0, 16)):
            part = words >> np.uint32(shift)
            calls[:, column] = np.where(part & _MISSING, MISSING, part & _CARRIED)
        calls[(words & _ONE_ALLELE) != 0, 1] = ABSENT
        return calls


def read_genotypes(records: Records, samples: int) -> Genotypes:
    """Judge all genotypes of some lines whose FORMAT starts with GT."""
    starts = records.tabs[:, 8] + 1
    if len(records) and (records.lines.ends - starts == 4 * samples - 1).all():
        text = records.lines.text
        joined = b"".join([text[start : start + 4 * samples] for start in starts.tolist()])
        words = np.frombuffer(joined.translate(_TABLE), "<u4").reshape(len(records), samples)
        if ((words & _KINDS_AND_COLON) == _DIPLOID).all():
            return Genotypes(words=words, malformed={})
    return _read_any(records, starts, samples)


def _read_any(records: Records, starts: Numbers, samples: int) -> Genotypes:
    """Genotypes of any width, with other fields behind them."""
    words = np.zeros((len(records), samples), np.uint32)
    places = np.empty((len(records), samples), np.int64)
    places[:, 0] = starts
    places[:, 1:] = records.tabs[:, 9:] + 1
    for byte in range(4):
        words |= _LOOKUP[records.array[places + byte]].astype(np.uint32) << np.uint32(8 * byte)
    haploid = (words & _FIRST_TWO) == _HAPLOID
    good = (((words & _KINDS) == _DIPLOID) | haploid).all(axis=1)
    # Nothing may follow a genotype whose FORMAT is GT alone.
    alone = records.tabs[:, 8] - records.tabs[:, 7] == 3
    if alone.any():
        colons = np.where(haploid, words & _word(0, _COLON), words & _word(0, 0, 0, _COLON))
        good &= ~(alone & (colons != 0).any(axis=1))
    if haploid.any():
        words[haploid] = _one_allele(words[haploid])
    malformed = {}
    for row in np.flatnonzero(~good).tolist():
        try:
            words[row] = _from_calls(records, row, samples)
        except CallsError as error:
            malformed[row] = f"{error}."
            words[row] = 0
    return Genotypes(words=words, malformed=malformed)


def _one_allele(words: Words) -> Words:
    """Genotypes of one allele; a lone dot is missing twice, as `parse_calls` has it."""
    first = words & _FIRST_ONLY
    lone = (first & _MISSING) != 0
    return np.where(lone, _BOTH_MISSING, first | _ONE_ALLELE).astype(np.uint32)


def _from_calls(records: Records, row: int, samples: int) -> Words:
    cells = records.cells(row)
    calls = parse_calls(records.field(row, 8), cells, samples)
    words = np.zeros(samples, np.uint32)
    for column, shift in enumerate((0, 16)):
        allele = calls[:, column]
        bits = np.where(allele > 0, _CARRIED, 0) | np.where(allele > 1, _MANY, 0)
        bits |= np.where(allele == MISSING, _MISSING, 0)
        words |= bits.astype(np.uint32) << np.uint32(shift)
    words[calls[:, 1] == ABSENT] |= _ONE_ALLELE
    if b"/" in cells:
        words |= _ANY_SLASH
    return words
