"""Genotypes as numbers of four bytes: an allele, a separator, an allele, and what ends them.

The bits are those that the letters of `0|1` have anyway, so that the text of a genotype is its
number where all alleles are 0 and 1; other text is translated by a table. A million genotypes are
then judged by a handful of operations.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "ANY_CARRIED",
    "ANY_MANY",
    "ANY_SLASH",
    "BOTH_MISSING",
    "CARRIED",
    "COLON",
    "DIPLOID",
    "END",
    "FIRST_MISSING",
    "FIRST_ONLY",
    "FIRST_TWO",
    "HAPLOID",
    "KINDS",
    "LOOKUP",
    "MANY",
    "MISSING",
    "ONE_ALLELE",
    "SECOND_MISSING",
    "Words",
    "read_fixed",
    "word",
]

Words = npt.NDArray[np.uint32]

# Bits of an allele; the first is that in which the letters 0 and 1 differ.
CARRIED, MISSING, MANY = 0x01, 0x02, 0x40
# Bits of a separator: `/` has the second, `|` has not.
_SEPARATOR, _SLASH = 0x04, 0x02
# Bits of what ends a genotype.
END, COLON = 0x08, 0x02
_BAD = 0x80
_KIND = _SEPARATOR | END | _BAD


def _bits(byte: int) -> int:
    match chr(byte):
        case "0":
            return 0
        case "1":
            return CARRIED
        case "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9":
            return CARRIED | MANY
        case ".":
            return MISSING
        case "|":
            return _SEPARATOR
        case "/":
            return _SEPARATOR | _SLASH
        case "\t" | "\n":
            return END
        case ":":
            return END | COLON
    return _BAD


_TABLE: Final = bytes(_bits(byte) for byte in range(256))
LOOKUP: Final = np.frombuffer(_TABLE, np.uint8)


def word(first: int, separator: int = 0, second: int = 0, end: int = 0) -> np.uint32:
    """Four bytes as they lie in a text."""
    return np.uint32(first | separator << 8 | second << 16 | end << 24)


ANY_CARRIED: Final = word(CARRIED, 0, CARRIED)
ANY_MANY: Final = word(MANY, 0, MANY)
ANY_SLASH: Final = word(0, _SLASH)
FIRST_MISSING: Final = word(MISSING)
SECOND_MISSING: Final = word(0, 0, MISSING)
BOTH_MISSING: Final = word(MISSING, 0, MISSING)
# A mark of ours in a bit that no separator has.
ONE_ALLELE: Final = word(0, 0x80)
FIRST_ONLY: Final = word(0xFF)

# What kind of bytes they are: those of a genotype of two alleles, and of one.
KINDS: Final = word(_KIND, _KIND, _KIND, _KIND)
DIPLOID: Final = word(0, _SEPARATOR, 0, END)
FIRST_TWO: Final = word(_KIND, _KIND)
HAPLOID: Final = word(0, END)

_KINDS_AND_COLON: Final = word(_KIND, _KIND, _KIND, _KIND | COLON)
_ALL_ZERO_OR_ONE: Final = (
    word(ord("1"), ord("|"), ord("1"), ord("\t")),
    word(ord("1"), ord("/"), ord("1"), ord("\t")),
)


def read_fixed(cells: Sequence[bytes | memoryview], samples: int) -> Words | None:
    """Read genotypes of three letters each, with nothing but a tab between them.

    Args:
        cells: The sample columns of each line, `4 * samples - 1` bytes.

    Returns:
        Shape (lines, samples); None when they are not all of that form.
    """
    text = b"\t".join([*cells, b""])
    words: Words = np.frombuffer(text, "<u4").reshape(len(cells), samples)
    # All alleles are 0 or 1 when that is so of the bits that any has, and of those that all have.
    some = np.bitwise_or.reduce(words, axis=1) | ANY_CARRIED
    every = np.bitwise_and.reduce(words, axis=1) | ANY_CARRIED
    plain = (some == every) & np.isin(some, _ALL_ZERO_OR_ONE)
    if plain.all():
        return words
    translated: Words = np.frombuffer(text.translate(_TABLE), "<u4").reshape(len(cells), samples)
    return translated if ((translated & _KINDS_AND_COLON) == DIPLOID).all() else None
