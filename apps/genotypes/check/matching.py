"""The sites of a file beside the table of a panel, many at a time."""

from typing import Final

import numpy as np

from apps.genotypes.check.lines import Bytes, Numbers
from apps.genotypes.qc import AlleleMatch, compare_alleles
from apps.genotypes.sites import NO_SNP, SiteTable

__all__ = ["BASES", "MATCHES", "MATCHING", "TYPED_ONLY", "compare_sites"]

BASES: Final = (b"A", b"C", b"G", b"T")
# How alleles can stand to each other, by the number that says so in an array.
MATCHES: Final = tuple(AlleleMatch)
MATCHING: Final = MATCHES.index(AlleleMatch.SAME)
TYPED_ONLY: Final = len(MATCHES)


def _match_table() -> Bytes:
    """`AlleleMatch` by our code and the panel's, by the rule that judges one site."""
    table = np.full((NO_SNP, NO_SNP + 1), MATCHES.index(AlleleMatch.MISMATCH), np.uint8)
    for ours in range(NO_SNP):
        for theirs in range(NO_SNP):
            match = compare_alleles(
                BASES[ours // 4], BASES[ours % 4], BASES[theirs // 4], BASES[theirs % 4]
            )
            table[ours, theirs] = MATCHES.index(match)
    return table


_TABLE: Final = _match_table()


def compare_sites(table: SiteTable, positions: Numbers, codes: Bytes) -> tuple[Numbers, Bytes]:
    """Find the panel's site for each of ours, and how their alleles stand to each other.

    Where the panel has several sites at a position, the one of the same alleles is taken, else the
    last.

    Returns:
        Numbers of the panel's sites (of no meaning for typed-only ones), and how they match:
        `MATCHING` for the same alleles, else the index of their `AlleleMatch`, or one more.
    """
    low = np.searchsorted(table.positions, positions.astype(np.int32))
    # The next position would end the run; runs of more than one site are rare.
    last = np.minimum(low, len(table) - 1)
    typed_only = table.positions[last] != positions
    same = table.codes[last] == codes
    step = 1
    open_ = ~typed_only
    sites = last.copy()
    while open_.any():
        nxt = np.minimum(low + step, len(table) - 1)
        open_ &= (low + step < len(table)) & (table.positions[nxt] == positions)
        take = open_ & ~same
        sites[take] = nxt[take]
        same |= take & (table.codes[nxt] == codes)
        step += 1
    matches = _TABLE[codes, table.codes[sites]]
    matches[typed_only] = TYPED_ONLY
    return sites, matches
