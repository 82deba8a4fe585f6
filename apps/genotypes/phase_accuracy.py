"""How well genotypes were phased, when their true phase is known.

The measure is the switch error rate (Lin et al. 2002, AJHG 71:1129; Stephens and Donnelly 2003,
AJHG 73:1162): of all pairs of neighbouring heterozygous genotypes of a sample, the share whose
orders differ from each other's in one file and not in the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from cyvcf2 import VCF

__all__ = ["SwitchErrors", "measure_switches"]

_Alleles = npt.NDArray[np.int16]
_Sites = dict[tuple[str, ...], _Alleles]

_END: Final[tuple[int, _Sites]] = (1 << 62, {})


@dataclass(frozen=True, kw_only=True)
class SwitchErrors:
    """Switch errors over all samples.

    Attributes:
        pairs: Neighbouring heterozygous genotypes of a sample that were compared.
        switches: How many of them are the other way round to each other than in the truth.
    """

    pairs: int
    switches: int

    @property
    def rate(self) -> float | None:
        """Share of switches; None without a pair."""
        return self.switches / self.pairs if self.pairs else None


def measure_switches(*, truth: Path, phased: Path) -> SwitchErrors:
    """Compare the phase of a file with the true one, reading both side by side.

    Records are matched by position, REF and ALT, samples by name. A genotype counts where it is
    heterozygous for the same two alleles in both files.

    Args:
        truth: Phased VCF or BCF of one chromosome, sorted.
        phased: Likewise.

    Raises:
        ValueError: The files have no sample in common.
        OSError: A file cannot be read.
    """
    true_file, phased_file = VCF(str(truth)), VCF(str(phased))
    names = [name for name in true_file.samples if name in set(phased_file.samples)]
    if not names:
        raise ValueError(f"{truth.name} and {phased.name} have no sample in common.")
    true_columns = [true_file.samples.index(name) for name in names]
    phased_columns = [phased_file.samples.index(name) for name in names]

    # Order of the last heterozygous genotype: 1 as in the truth, -1 turned, 0 before the first.
    last = np.zeros(len(names), np.int8)
    pairs = switches = 0
    found = _by_position(true_file)
    position, sites = next(found, _END)
    for record in phased_file:
        while position < record.POS:
            position, sites = next(found, _END)
        other = sites.get((record.REF, *record.ALT)) if position == record.POS else None
        if other is None:
            continue
        one, two = other[true_columns], _alleles(record)[phased_columns]
        same = (one == two).all(axis=1)
        turned = (one == two[:, ::-1]).all(axis=1)
        apart = (one[:, 0] != one[:, 1]) & (one >= 0).all(axis=1) & (same | turned)
        order = np.where(same, 1, -1)
        pairs += int((apart & (last != 0)).sum())
        switches += int((apart & (last != 0) & (order != last)).sum())
        last = np.where(apart, order, last)
    return SwitchErrors(pairs=pairs, switches=switches)


def _by_position(file: Any) -> Iterator[tuple[int, _Sites]]:
    """The alleles of all records, position by position."""
    for position, records in groupby(file, key=lambda record: int(record.POS)):
        sites: _Sites = {}
        for record in records:
            sites.setdefault((record.REF, *record.ALT), _alleles(record))
        yield position, sites


def _alleles(record: Any) -> _Alleles:
    return np.asarray(record.genotype.array()[:, :2], np.int16)
