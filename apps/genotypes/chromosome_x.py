"""Quality control of chromosome X, where men have one allele outside the pseudoautosomal regions.

Rules of imputationserver2 (2.0.12): the chromosome is cut into PAR1, the part between and PAR2;
in the part between a sample may not have many genotypes of which one allele only is missing, and
is haploid at all of its sites or diploid at all of them.
"""

from enum import Enum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from apps.genotypes.calls import ABSENT, MISSING, Calls

__all__ = ["PloidyCheck", "PloidyConflict", "XRegion", "whole", "x_region"]

# First and last position of the part between the pseudoautosomal regions.
_NON_PAR = {"hg19": (2_699_520, 154_931_044), "hg38": (2_781_479, 155_701_383)}

_UNKNOWN, _HAPLOID, _DIPLOID = range(3)


class XRegion(Enum):
    """A part of chromosome X, in the order of positions; the value names it in files."""

    PAR1 = "X.PAR1"
    NON_PAR = "X.nonPAR"
    PAR2 = "X.PAR2"


class PloidyConflict(NamedTuple):
    """A sample, by its number, and the position where its ploidy is another than before."""

    sample: int
    position: int


def x_region(position: int, build: str) -> XRegion:
    """Tell in which part of chromosome X a position lies."""
    first, last = _NON_PAR[build]
    if position < first:
        return XRegion.PAR1
    return XRegion.NON_PAR if position <= last else XRegion.PAR2


def whole(name: str) -> str:
    """The chromosome of a region, `X` of `X.nonPAR`; any other name as it is."""
    return name.partition(".")[0]


class PloidyCheck:
    """Follow the ploidy of all samples through the part between the pseudoautosomal regions.

    Attributes:
        conflicts: The first one of each sample, in the order of positions.
    """

    def __init__(self, samples: int) -> None:
        self.conflicts: list[PloidyConflict] = []
        self._ploidy = np.zeros(samples, np.int8)
        self._told = np.zeros(samples, bool)
        self._mixed = np.zeros(samples, np.int64)
        self._sites = 0

    def add(self, position: int, calls: Calls) -> None:
        """Take in one site of that part.

        Args:
            calls: Alleles, shape (samples, 2).
        """
        self._sites += 1
        missing = calls == MISSING
        self._mixed += missing[:, 0] != missing[:, 1]
        here = np.where(calls[:, 1] == ABSENT, _HAPLOID, _DIPLOID)
        # A missing genotype is written `.` for men and women alike.
        here[missing.all(axis=1)] = _UNKNOWN
        known = (here != _UNKNOWN) & (self._ploidy != _UNKNOWN)
        conflict = known & (here != self._ploidy) & ~self._told
        self._told |= conflict
        self.conflicts += [PloidyConflict(int(n), position) for n in np.flatnonzero(conflict)]
        self._ploidy = np.where(self._ploidy == _UNKNOWN, here, self._ploidy).astype(np.int8)

    @property
    def haploid(self) -> npt.NDArray[np.bool_]:
        """Samples whose first called genotype has one allele, shape (samples,)."""
        return np.asarray(self._ploidy == _HAPLOID)

    def mixed(self, limit: float) -> list[int]:
        """Numbers of the samples with `1/.` at more than this share of the sites."""
        return [int(n) for n in np.flatnonzero(self._mixed > limit * self._sites)]
