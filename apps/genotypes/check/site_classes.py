"""The class of each record without a panel: the first in the order of the service that fits it."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from apps.genotypes.check.columns import Alleles
from apps.genotypes.check.lines import Bytes, Flags, Records
from apps.genotypes.qc import VerdictKind, judge_site

__all__ = ["CLASSES", "KEPT", "MONOMORPHIC", "SiteClass", "class_by_text", "ref_is_alt"]


@dataclass(frozen=True, kw_only=True)
class SiteClass:
    """A class of records.

    Attributes:
        name: As the facts of a file name it.
        rule: Which one its records break; '' for those that are kept.
        message: What is wrong, as a sentence.
    """

    name: str
    rule: str = ""
    message: str = ""


_BY_VERDICT: Final = {
    VerdictKind.MULTIALLELIC: SiteClass(
        name="multiallelic",
        rule="site-multiallelic",
        message="Sites have more than one ALT allele; they are left out.",
    ),
    VerdictKind.INVALID_ALLELES: SiteClass(
        name="invalid alleles",
        rule="site-alleles",
        message="Alleles have other letters than A, C, G and T; the sites are left out.",
    ),
    VerdictKind.DUPLICATE: SiteClass(
        name="duplicate",
        rule="site-duplicate",
        message="Sites come again, or FILTER marks them as duplicates; they are left out.",
    ),
    VerdictKind.FILTERED: SiteClass(
        name="filtered",
        rule="site-filtered",
        message="Sites did not pass a filter; they are left out.",
    ),
    VerdictKind.INDEL: SiteClass(
        name="indel",
        rule="site-indel",
        message="Sites are insertions or deletions; they are left out.",
    ),
    VerdictKind.MONOMORPHIC: SiteClass(
        name="monomorphic",
        rule="site-monomorphic",
        message="No sample carries ALT; the sites are left out.",
    ),
    VerdictKind.TYPED_ONLY: SiteClass(name="kept"),
}
# Arrays hold the number of a class.
CLASSES: Final = tuple(_BY_VERDICT.values())
_VERDICTS: Final = tuple(_BY_VERDICT)
KEPT: Final = _VERDICTS.index(VerdictKind.TYPED_ONLY)
MONOMORPHIC: Final = _VERDICTS.index(VerdictKind.MONOMORPHIC)
_CARRYING: Final = np.array([[0, 1]], np.int8)


def class_by_text(records: Records, alleles: Alleles, repeated: Flags) -> Bytes:
    """The class of each line without a look at its genotypes.

    Args:
        repeated: Lines of a site that came before.
    """
    classes = np.full(len(records), KEPT, np.uint8)
    for row in np.flatnonzero(~alleles.plain | repeated).tolist():
        ref, alt, flags = (records.field(row, column) for column in (3, 4, 6))
        # Long alleles would fill the memory of the judge; their class is that of their letters.
        judge = _judge if len(ref) + len(alt) + len(flags) < 256 else _judge.__wrapped__
        classes[row] = judge(ref, alt, flags, bool(repeated[row]))
    return classes


@lru_cache(maxsize=4096)
def _judge(ref: bytes, alt: bytes, flags: bytes, repeated: bool) -> int:
    verdict = judge_site(
        ref=ref, alt=alt, flags=flags, calls=_CARRYING, panel=(), repeated=repeated
    )
    return _VERDICTS.index(verdict.kind)


def ref_is_alt(records: Records, alleles: Alleles) -> Flags:
    """Lines whose REF and ALT are the same."""
    same = alleles.equal.copy()
    tabs = records.tabs
    as_long = (tabs[:, 3] - tabs[:, 2] == tabs[:, 4] - tabs[:, 3]) & ~alleles.plain
    for row in np.flatnonzero(as_long).tolist():
        same[row] = records.field(row, 3) == records.field(row, 4)
    return same
