"""Genotypes as numbers of four bytes: an allele, a separator, an allele, and what ends them.

The bits are those that the letters of `0|1` and `./.` have anyway, so that the text of such a
genotype is its number; other text is translated by a table. A million genotypes are then judged by
a handful of operations.
"""

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
    "FIRST_TWO",
    "HAPLOID",
    "KINDS",
    "MANY",
    "MISSING",
    "ONE_ALLELE",
    "SECOND_MISSING",
    "Words",
    "read_cells",
    "read_fixed",
    "word",
]

Flags = npt.NDArray[np.bool_]
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
_FIRST_ONLY: Final = word(0xFF)

# What kind of bytes they are: those of a genotype of two alleles, and of one.
KINDS: Final = word(_KIND, _KIND, _KIND, _KIND)
DIPLOID: Final = word(0, _SEPARATOR, 0, END)
FIRST_TWO: Final = word(_KIND, _KIND)
HAPLOID: Final = word(0, END)

_KINDS_AND_COLON: Final = word(_KIND, _KIND, _KIND, _KIND | COLON)
_LETTERS: Final = word(0xFF, 0xFF, 0xFF)


def _text(letters: bytes) -> np.uint32:
    return word(*letters)


def read_fixed(words: Words) -> bool:
    """Read cells that are genotypes of three letters, with a tab behind each.

    Args:
        words: Shape (lines, samples), the text of each; becomes the bits of each.

    Returns:
        Whether they are all of that form; if not, `words` is of no meaning.
    """
    odd = ~_as_written(words).all(axis=1)
    if odd.any():
        bits = _translated(words[odd])
        if ((bits & _KINDS_AND_COLON) != DIPLOID).any():
            return False
        words[odd] = bits
    return True


def read_cells(words: Words, alone: Flags) -> tuple[Words, Flags]:
    """Read cells of any length from their first four bytes.

    Args:
        words: Shape (lines, samples), the text of each with what follows it.
        alone: Lines in which nothing but a genotype may be in a cell.

    Returns:
        The bits of each, and the lines in which every genotype is of one or two letters; the bits
        of the other lines are of no meaning.
    """
    ends = words & ~_LETTERS
    ended = (ends == _text(b"\0\0\0\t")) | (ends == _text(b"\0\0\0\n"))
    ended |= (ends == _text(b"\0\0\0:")) & ~alone[:, None]
    read = (words & _LETTERS) | _text(b"\0\0\0\t")
    good = np.asarray((ended & _as_written(read)).all(axis=1))
    odd = ~good
    if odd.any():
        read[odd], good[odd] = _read_odd(_translated(words[odd]), alone[odd])
    return read, good


def _as_written(words: Words) -> Flags:
    """Genotypes of alleles 0 and 1, or missing, with a tab behind: their text is their number."""
    carried = words | ANY_CARRIED
    unphased = (carried == _text(b"1/1\t")) | (words == _text(b"./.\t"))
    if unphased.all():
        return np.asarray(unphased)
    phased = (carried == _text(b"1|1\t")) | (words == _text(b".|.\t"))
    return np.asarray(phased | unphased)


def _translated(words: Words) -> Words:
    return np.frombuffer(words.tobytes().translate(_TABLE), np.uint32).reshape(words.shape)


def _read_odd(bits: Words, alone: Flags) -> tuple[Words, Flags]:
    haploid = (bits & FIRST_TWO) == HAPLOID
    good = (((bits & KINDS) == DIPLOID) | haploid).all(axis=1)
    colon = np.where(haploid, word(0, COLON), word(0, 0, 0, COLON))
    good &= ~(alone & ((bits & colon) != 0).any(axis=1))
    # A lone dot is missing twice, as `parse_calls` has it.
    first = bits & _FIRST_ONLY
    one = np.where(first & FIRST_MISSING, BOTH_MISSING, first | ONE_ALLELE)
    return np.where(haploid, one, bits), good
