"""The first nine columns of many lines at once: positions, alleles, filters, formats."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from apps.genotypes.check.lines import Bytes, Flags, Numbers, Records

__all__ = ["MAX_POSITION", "Alleles", "read_alleles", "read_positions", "starts_with_gt"]

MAX_POSITION: Final = 2**29 - 1  # what a tabix index can hold

# The places of ten digits, counted from the end of the number, and what a digit there is worth.
_PLACES: Final = np.arange(10, 0, -1)
_VALUES: Final = 10 ** (_PLACES - 1)
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
    ends = records.tabs[:, 1, None]
    lengths = ends - records.tabs[:, :1] - 1
    digits = records.array[ends - _PLACES] - np.uint8(ord("0"))
    inside = lengths >= _PLACES
    good = (lengths[:, 0] > 0) & (lengths[:, 0] <= len(_PLACES))
    good &= ((digits <= 9) | ~inside).all(axis=1)
    return np.where(good, (digits * inside) @ _VALUES, 0)


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
