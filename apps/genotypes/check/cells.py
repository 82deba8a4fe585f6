"""Genotypes of many lines at once, and what they say about their line and their samples.

What does not fit into four bytes (allele 10, three alleles) is left to `parse_calls`, line by line.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from apps.genotypes.calls import ABSENT, MISSING, Calls, CallsError, parse_calls
from apps.genotypes.check import words as bits
from apps.genotypes.check.lines import Bytes, Flags, Numbers, Records
from apps.genotypes.check.words import Words

__all__ = ["Genotypes", "read_genotypes", "too_few_called"]

_MOST_MISSING: Final = 0.1


@dataclass(frozen=True, kw_only=True, eq=False)
class Genotypes:
    """Genotypes of some lines.

    Attributes:
        words: The bits of each, shape (lines, samples); of no meaning for malformed lines.
        malformed: By number of the line: why its genotypes are none.
    """

    words: Words
    malformed: dict[int, str]

    @property
    def any_missing(self) -> Flags:
        """Lines in which an allele is missing."""
        return np.asarray((self._any & bits.BOTH_MISSING) != 0)

    @property
    def any_carried(self) -> Flags:
        """Lines with an ALT allele."""
        return np.asarray((self._any & bits.ANY_CARRIED) != 0)

    @property
    def any_many(self) -> Flags:
        """Lines with an allele of number 2 or more."""
        return np.asarray((self._any & bits.ANY_MANY) != 0)

    @property
    def any_haploid(self) -> Flags:
        """Lines with a genotype of one allele that is not missing."""
        return np.asarray((self._any & bits.ONE_ALLELE) != 0)

    @property
    def any_slash(self) -> Flags:
        """Lines with `/` between the alleles of a genotype."""
        return np.asarray((self._any & bits.ANY_SLASH) != 0)

    @cached_property
    def _any(self) -> Words:
        return np.asarray(np.bitwise_or.reduce(self.words, axis=1))

    def only(self, lines: Flags) -> "Genotypes":
        """Those of some of the lines, none of them malformed."""
        return Genotypes(words=self.words[lines], malformed={})

    def missing_at(self, lines: Flags) -> Flags:
        """Whether no allele was called, in some of the lines, shape (those lines, samples)."""
        return np.asarray((self.words[lines] & bits.BOTH_MISSING) == bits.BOTH_MISSING)

    def diploid_at(self, lines: Flags) -> Flags:
        """Whether two alleles are called, in some of the lines, shape (those lines, samples)."""
        return np.asarray((self.words[lines] & (bits.BOTH_MISSING | bits.ONE_ALLELE)) == 0)

    def called_at(self, lines: Flags) -> Numbers:
        """How many alleles are called in each of some lines."""
        words = self.words[lines]
        lacking = ((words & bits.FIRST_MISSING) != 0).sum(axis=1)
        lacking += ((words & (bits.SECOND_MISSING | bits.ONE_ALLELE)) != 0).sum(axis=1)
        return np.asarray(2 * words.shape[1] - lacking)

    def carried(self) -> Bytes:
        """How many ALT alleles each has, shape (lines, samples)."""
        halves = self.words & bits.ANY_CARRIED
        return (halves + (halves >> np.uint32(16))).astype(np.uint8)

    def calls(self, row: int) -> Calls:
        """Alleles of one line: 0, 1 (or more), `MISSING` or `ABSENT`, shape (samples, 2)."""
        words = self.words[row]
        calls = np.empty((len(words), 2), np.int8)
        for column, shift in enumerate((0, 16)):
            part = words >> np.uint32(shift)
            calls[:, column] = np.where(part & bits.MISSING, MISSING, part & bits.CARRIED)
        calls[(words & bits.ONE_ALLELE) != 0, 1] = ABSENT
        return calls


def read_genotypes(records: Records, samples: int) -> Genotypes:
    """Judge all genotypes of some lines whose FORMAT starts with GT."""
    if records.words is not None:
        return Genotypes(words=records.words, malformed={})
    alone = records.tabs[:, 8] - records.tabs[:, 7] == 3
    words, good = bits.read_cells(records.cell_starts(), alone)
    malformed = {}
    for row in np.flatnonzero(~good).tolist():
        try:
            words[row] = _from_calls(records, row, samples)
        except CallsError as error:
            malformed[row] = f"{error}."
            words[row] = 0
    return Genotypes(words=words, malformed=malformed)


def _from_calls(records: Records, row: int, samples: int) -> Words:
    cells = records.cells(row)
    calls = parse_calls(records.field(row, 8), cells, samples)
    words = np.zeros(samples, np.uint32)
    for column, shift in enumerate((0, 16)):
        allele = calls[:, column]
        some = np.where(allele > 0, bits.CARRIED, 0) | np.where(allele > 1, bits.MANY, 0)
        some |= np.where(allele == MISSING, bits.MISSING, 0)
        words |= some.astype(np.uint32) << np.uint32(shift)
    words[calls[:, 1] == ABSENT] |= bits.ONE_ALLELE
    if b"/" in cells:
        words |= bits.ANY_SLASH
    return words


def too_few_called(missing: Flags) -> Flags:
    """Lines with more than 10 % of their genotypes missing.

    Args:
        missing: Whether a genotype is, shape (lines, samples).
    """
    counts = missing.sum(axis=1, dtype=np.uint32)
    return np.asarray(counts / missing.shape[1] > _MOST_MISSING)
