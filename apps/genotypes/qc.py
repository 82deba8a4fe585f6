"""Quality control of genotypes that are to be imputed: one decision for each site.

The rules, their order and their words are those of imputationserver2 (2.0.12). A site is judged
in this order, and the first rule that holds decides::

    Multiallelic Site                  a comma in ALT
    Invalid Alleles                    other letters than A, C, G, T
    Filter Duplicate                   FILTER holds DUP, or POS, REF and ALT came before
    Filter Other                       FILTER is neither PASS nor .
    InDel                              REF or ALT of more than one base
    Monomorphic                        no ALT allele among two or more samples
    (typed only)                       kept: the panel has no site at this position
    (match)                            kept: the panel has the same REF and ALT
    (ambiguous)                        kept: A/T and T/A, or C/G and G/C, so the strand is unknown
    Allele switch                      REF and ALT are swapped
    Strand flip                        the complements are the panel's alleles
    Strand flip and Allele switch      both
    Allele mismatch                    none of these
    Low call rate                      more than 10 % missing

A genotype is missing when no allele of it was called: `.` and `./.` are, `1/.` is not. Where the
panel has several sites at a position, the one of the same alleles is compared, else the last.

Chunks and the whole job are judged in `job_rules`. Nothing here reads a file.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from apps.genotypes.calls import Calls, missing_genotypes

__all__ = [
    "AlleleMatch",
    "PanelSite",
    "PanelSites",
    "Verdict",
    "VerdictKind",
    "chi_square",
    "compare_alleles",
    "is_palindromic",
    "judge_site",
]

_MOST_MISSING = 0.1

_COMPLEMENT = bytes.maketrans(b"ACGT", b"TGCA")


class PanelSite(NamedTuple):
    """A site of a reference panel; `frequency` is that of ALT."""

    position: int
    ref: bytes
    alt: bytes
    frequency: float


class AlleleMatch(Enum):
    """How the alleles of a site stand to those of the panel."""

    SAME = "same"
    AMBIGUOUS = "ambiguous"
    SWITCH = "switch"
    FLIP = "flip"
    FLIP_AND_SWITCH = "flip and switch"
    MISMATCH = "mismatch"


class VerdictKind(Enum):
    """What becomes of a site; the value is what snps-excluded.txt says of an excluded one."""

    MULTIALLELIC = "Multiallelic Site"
    INVALID_ALLELES = "Invalid Alleles"
    DUPLICATE = "Filter Duplicate"
    FILTERED = "Filter Other"
    INDEL = "InDel"
    MONOMORPHIC = "Monomorphic"
    ALLELE_SWITCH = "Allele switch"
    STRAND_FLIP = "Strand flip"
    STRAND_FLIP_AND_ALLELE_SWITCH = "Strand flip and Allele switch"
    ALLELE_MISMATCH = "Allele mismatch"
    LOW_CALL_RATE = "Low call rate"
    TYPED_ONLY = "Typed only"
    IN_PANEL = "In panel"

    @property
    def kept(self) -> bool:
        """Whether the site goes on to imputation."""
        return self in {VerdictKind.TYPED_ONLY, VerdictKind.IN_PANEL}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The decision on one site.

    Attributes:
        info: The words of snps-excluded.txt; '' for a kept site.
        match: How its alleles stand to the panel's; None if it was decided before, or typed only.
        site: The panel's site it was compared with.
        alt_frequency: Frequency of ALT among called alleles; None if it was decided before.
    """

    kind: VerdictKind
    info: str = ""
    match: AlleleMatch | None = None
    site: PanelSite | None = None
    alt_frequency: float | None = None


class PanelSites:
    """Look up a panel's sites by rising positions, reading them once: a merge join."""

    def __init__(self, sites: Iterable[PanelSite]) -> None:
        self._sites = iter(sites)
        self._next: PanelSite | None = next(self._sites, None)
        self._here: list[PanelSite] = []
        self._position = 0

    def at(self, position: int) -> Sequence[PanelSite]:
        """The sites at `position`, which must not be lower than at the last call."""
        if position != self._position:
            self._position = position
            self._here = []
            while self._next is not None and self._next.position <= position:
                if self._next.position == position:
                    self._here.append(self._next)
                self._next = next(self._sites, None)
        return self._here


def compare_alleles(ref: bytes, alt: bytes, panel_ref: bytes, panel_alt: bytes) -> AlleleMatch:
    """Tell how the alleles of a site stand to those of the panel (single bases each)."""
    ours, theirs = (ref, alt), (panel_ref, panel_alt)
    flipped = (ref.translate(_COMPLEMENT), alt.translate(_COMPLEMENT))
    if ours == theirs:
        return AlleleMatch.SAME
    if flipped == ours[::-1] and ours[::-1] == theirs:
        return AlleleMatch.AMBIGUOUS
    if ours[::-1] == theirs:
        return AlleleMatch.SWITCH
    if flipped == theirs:
        return AlleleMatch.FLIP
    if flipped[::-1] == theirs:
        return AlleleMatch.FLIP_AND_SWITCH
    return AlleleMatch.MISMATCH


def is_palindromic(ref: bytes, alt: bytes) -> bool:
    """Whether both strands read the same: A/T or C/G."""
    return ref.translate(_COMPLEMENT) == alt


_EXCLUDED = {
    AlleleMatch.SWITCH: VerdictKind.ALLELE_SWITCH,
    AlleleMatch.FLIP: VerdictKind.STRAND_FLIP,
    AlleleMatch.FLIP_AND_SWITCH: VerdictKind.STRAND_FLIP_AND_ALLELE_SWITCH,
    AlleleMatch.MISMATCH: VerdictKind.ALLELE_MISMATCH,
}


def judge_site(
    *,
    ref: bytes,
    alt: bytes,
    flags: bytes,
    calls: Calls,
    panel: Sequence[PanelSite],
    repeated: bool = False,
) -> Verdict:
    """Decide what becomes of one site.

    Args:
        ref, alt, flags: The columns REF, ALT and FILTER.
        calls: Alleles, shape (samples, 2).
        panel: The panel's sites at this position.
        repeated: Whether the same position, REF and ALT came before in this file.
    """
    if (kind := _judge_text(ref, alt, flags, repeated)) is not None:
        return Verdict(kind=kind, info=kind.value)
    called = int((calls >= 0).sum())
    carried = int((calls > 0).sum())
    if len(calls) > 1 and carried == 0:
        return Verdict(kind=VerdictKind.MONOMORPHIC, info=VerdictKind.MONOMORPHIC.value)
    frequency = carried / called if called else 0.0
    if not panel:
        return Verdict(kind=VerdictKind.TYPED_ONLY, alt_frequency=frequency)
    site = next((s for s in panel if (s.ref, s.alt) == (ref, alt)), panel[-1])
    match = compare_alleles(ref, alt, site.ref, site.alt)
    kind = _EXCLUDED.get(match)
    info = ""
    if kind is not None:
        theirs = f"{site.ref.decode()}/{site.alt.decode()}"
        info = f"{kind.value}. Reference Panel: {theirs}"
    else:
        kind = VerdictKind.IN_PANEL
        missing = float(missing_genotypes(calls).mean())
        if missing > _MOST_MISSING:
            kind = VerdictKind.LOW_CALL_RATE
            info = f"{kind.value}. Value: {1.0 - missing}"
    return Verdict(kind=kind, info=info, match=match, site=site, alt_frequency=frequency)


def _judge_text(ref: bytes, alt: bytes, flags: bytes, repeated: bool) -> VerdictKind | None:
    if b"," in alt:
        return VerdictKind.MULTIALLELIC
    if not (ref and alt) or (ref + alt).strip(b"ACGT"):
        return VerdictKind.INVALID_ALLELES
    if repeated or b"DUP" in flags:
        return VerdictKind.DUPLICATE
    if flags not in {b"PASS", b"."}:
        return VerdictKind.FILTERED
    if len(ref) > 1 or len(alt) > 1:
        return VerdictKind.INDEL
    return None


def chi_square(frequency: float, alleles: int, panel_frequency: float, panel_alleles: int) -> float:
    """Pearson's chi-square of the two-by-two table of ALT and REF in the study and the panel.

    Args:
        frequency, alleles: Frequency of ALT in the study, and how many alleles were called.
        panel_frequency, panel_alleles: The same of the panel.

    Returns:
        NaN where the table has an empty row or column, and so nothing to compare.
    """
    total = alleles + panel_alleles
    alt = frequency * alleles + panel_frequency * panel_alleles
    if not alleles or not panel_alleles or not 0 < alt < total:
        return math.nan
    pooled = alt / total
    variance = pooled * (1 - pooled) * (1 / alleles + 1 / panel_alleles)
    return (frequency - panel_frequency) ** 2 / variance
