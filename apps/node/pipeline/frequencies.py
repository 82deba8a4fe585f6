"""ALT frequencies of the uploaded data against the panel's, in constant memory.

Every kept site of the panel becomes a row of `maf.txt`; a picture of all of them and the ones that
are farthest off go on the page.
"""

import heapq
import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from apps.genotypes.calls import Calls
from apps.genotypes.qc import AlleleMatch, Verdict, chi_square

__all__ = ["OUTLIER_CHI_SQUARE", "Comparison", "Frequencies", "Outlier"]

_BINS = 50
_OUTLIERS = 50
# Above it a site's frequency differs from the panel's more than people of one origin do.
OUTLIER_CHI_SQUARE = 300.0


class Comparison(NamedTuple):
    """A kept site in the panel's terms: `ref` and `alt` are as the panel has them.

    Attributes:
        frequency, panel_frequency: Of `alt`.
        chi_square: NaN where all alleles of both sides are the same.
    """

    position: int
    ref: bytes
    alt: bytes
    frequency: float
    panel_frequency: float
    chi_square: float


class Outlier(NamedTuple):
    """A site whose frequency is far from the panel's."""

    chi_square: float
    position: int
    text: str
    frequency: float
    panel_frequency: float


@dataclass(kw_only=True)
class Frequencies:
    """What all comparisons amount to.

    Attributes:
        panel_alleles: Twice the samples of the population that was chosen.
        counts: Sites by bin of the study's (rows) and of the panel's frequency, from 0 to 1.
        outliers: The farthest ones; a heap.
        above: How many sites lie above `OUTLIER_CHI_SQUARE`.
    """

    panel_alleles: int
    counts: npt.NDArray[np.int64] = field(
        default_factory=lambda: np.zeros((_BINS, _BINS), np.int64)
    )
    outliers: list[Outlier] = field(default_factory=list)
    above: int = 0

    def add(self, chromosome: str, verdict: Verdict, calls: Calls) -> Comparison | None:
        """Compare a kept site of the panel; None when the verdict is not of such a site.

        An A/T or C/G site whose alleles are the other way round is read as the panel has it.
        """
        site, frequency = verdict.site, verdict.alt_frequency
        if not verdict.kind.kept or site is None or frequency is None:
            return None
        if verdict.match is AlleleMatch.AMBIGUOUS:
            frequency = 1 - frequency
        called = int((calls >= 0).sum())
        distance = chi_square(frequency, called, site.frequency, self.panel_alleles)
        made = Comparison(
            position=site.position,
            ref=site.ref,
            alt=site.alt,
            frequency=frequency,
            panel_frequency=site.frequency,
            chi_square=distance,
        )
        row, column = (min(int(f * _BINS), _BINS - 1) for f in (frequency, site.frequency))
        self.counts[row, column] += 1
        if not math.isnan(distance) and distance > OUTLIER_CHI_SQUARE:
            self._keep(chromosome, made)
        return made

    def _keep(self, chromosome: str, made: Comparison) -> None:
        self.above += 1
        text = f"{chromosome}:{made.position}:{made.ref.decode()}:{made.alt.decode()}"
        outlier = Outlier(
            made.chi_square, made.position, text, made.frequency, made.panel_frequency
        )
        if len(self.outliers) < _OUTLIERS:
            heapq.heappush(self.outliers, outlier)
        else:
            heapq.heappushpop(self.outliers, outlier)
