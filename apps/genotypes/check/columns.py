"""The first nine columns of many lines at once: positions, alleles, filters, formats."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from apps.genotypes.check.lines import Bytes, Flags, Numbers, Records

__all__ = ["MAX_POSITION", "Alleles", "read_alleles", "read_positions", "starts_with_gt"]

MAX_POSITION: Final = 2**29 - 1  # what a tabix index can hold

_DIGITS: Final = 10
_NO_BASE: Final = 4
_BASE: Final = np.full(256, _NO_BASE, np.uint8)
_BASE[np.frombuffer(b"ACGT", np.uint8)] = range(4)


@dataclass(frozen=True, kw_only=True, eq=False)
class Alleles:
    """REF, ALT and FILTER of some lines.

    Attributes:
        codes: `snp_code` of each; of no meaning where `plain` is false.
        plain: Lines of a SNP of two bases in capitals that passed all filters.
        equal: Lines whose REF and ALT are one and the same byte.
    """

    codes: Bytes
    plain: Flags
    equal: Flags


def read_positions(records: Records) -> Numbers:
    """POS of each line; 0 where it is no number of at most ten digits."""
    ends = records.tabs[:, 1]
    lengths = ends - records.tabs[:, 0] - 1
    good = (lengths > 0) & (lengths <= _DIGITS)
    positions = np.zeros(len(records), np.int64)
    for place in range(int(lengths[good].max(initial=0))):
        digits = records.array[ends - 1 - place].astype(np.int64) - ord("0")
        inside = lengths > place
        good &= ~inside | ((digits >= 0) & (digits <= 9))
        positions += np.where(inside, digits, 0) * 10**place
    return np.where(good, positions, 0)


def read_alleles(records: Records) -> Alleles:
    """REF, ALT and FILTER of each line."""
    array, tabs = records.array, records.tabs
    ref, alt, flags = tabs[:, 2] + 1, tabs[:, 3] + 1, tabs[:, 5] + 1
    single = (tabs[:, 3] - ref == 1) & (tabs[:, 4] - alt == 1)
    ref_base, alt_base = _BASE[array[ref]], _BASE[array[alt]]
    length = tabs[:, 6] - flags
    passed = (length == 1) & (array[flags] == ord("."))
    named = length == 4
    for at, byte in enumerate(b"PASS"):
        named &= array[flags + at] == byte
    return Alleles(
        codes=4 * ref_base + alt_base,
        plain=single & (ref_base != _NO_BASE) & (alt_base != _NO_BASE) & (passed | named),
        equal=single & (array[ref] == array[alt]),
    )


def starts_with_gt(records: Records) -> Flags:
    """Whether the first field of FORMAT is GT."""
    array, start = records.array, records.tabs[:, 7] + 1
    length = records.tabs[:, 8] - start
    named = (array[start] == ord("G")) & (array[start + 1] == ord("T")) & (length >= 2)
    return np.asarray(named & ((length == 2) | (array[start + 2] == ord(":"))))
