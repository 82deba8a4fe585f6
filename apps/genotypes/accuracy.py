"""How well an imputed result agrees with the truth, when the truth is known.

The measure is the squared Pearson correlation over all pairs of sample and site ("aggregate r²"),
at the sites of the truth that are not on the array. A site that the result lacks counts as
dosage 0, so that nothing is gained by returning less.

All files are read once, side by side, one position at a time: memory does not grow with them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from cyvcf2 import VCF

__all__ = [
    "MAF_BINS",
    "Accuracy",
    "Agreement",
    "FilesDiffer",
    "ResultSummary",
    "measure",
    "summarise",
]

# Bounds of the bins of minor-allele frequency, each without its lower and with its upper bound.
MAF_BINS: Final = ((0.0, 0.01), (0.01, 0.05), (0.05, 0.2), (0.2, 0.5))

_Alleles = tuple[str, str]
_Dosages = npt.NDArray[np.float64]


class FilesDiffer(Exception):
    """The files cannot be compared: unsorted, of several chromosomes, without common samples."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Agreement of result and truth over a set of sites.

    Attributes:
        sites: Sites of the truth in the set.
        found: How many of them the result holds.
        r2: Squared Pearson r over all pairs of sample and site; None where truth or result does
            not vary.
    """

    sites: int
    found: int
    r2: float | None


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Agreement of a result with the truth.

    Attributes:
        samples: Samples that both files name; only they are compared.
        total: Over all sites, those included that do not vary in the truth.
        bins: One for each of `MAF_BINS`, by minor-allele frequency in the truth.
    """

    samples: int
    total: Agreement
    bins: tuple[Agreement, ...]


@dataclass(frozen=True, kw_only=True)
class ResultSummary:
    """What an imputed VCF says about itself.

    Attributes:
        samples: Number of samples.
        typed: Sites that were on the array and are in the panel (flags TYPED and IMPUTED).
        imputed: Sites of the panel that were not on the array (IMPUTED alone).
        typed_only: Sites of the array that the panel lacks (TYPED alone).
        mean_r2: Mean of the estimated R2 over the imputed sites; None when there is none.
        source: Value of the header line `##source`, which names the engine; empty without one.
    """

    samples: int
    typed: int
    imputed: int
    typed_only: int
    mean_r2: float | None
    source: str


def measure(*, truth: Path, result: Path, array: Path, panel: Path | None = None) -> Accuracy:
    """Compare imputed dosages with true genotypes.

    Records are matched by chromosome (with or without `chr`), position, REF and ALT, samples by
    name. Multiallelic records take no part, and of a site that is written twice the first counts.
    Dosages are read from DS, else HDS, else GT. A call that is missing in the truth is left out; a
    dosage that is missing in the result counts as 0.

    Args:
        truth: VCF or BCF with the true genotypes of one chromosome, sorted.
        result: Imputed VCF or BCF of that chromosome, sorted.
        array: VCF or BCF whose sites were on the array; they are not compared.
        panel: When given, only sites of this VCF or BCF are compared.

    Raises:
        FilesDiffer: The files cannot be compared; the message names the file and why.
        OSError: A file cannot be read.
    """
    truth_file = _File(truth)
    result_file = _File(result)
    both = set(result_file.samples)
    names = [name for name in truth_file.samples if name in both]
    if not names:
        raise FilesDiffer(f"{truth.name} and {result.name} have no sample in common.")
    truth_columns = [truth_file.samples.index(name) for name in names]
    result_columns = [result_file.samples.index(name) for name in names]
    array_file = _File(array)
    panel_file = _File(panel) if panel is not None else None

    total = _Sums()
    bins = [_Sums() for _ in MAF_BINS]
    for position, true_sites in truth_file.positions():
        returned = result_file.at(position, truth_file)
        on_array = array_file.at(position, truth_file)
        in_panel = panel_file.at(position, truth_file) if panel_file else true_sites
        for alleles, record in true_sites.items():
            if alleles in on_array or alleles not in in_panel:
                continue
            true = _true_dosages(record)[truth_columns]
            known = ~np.isnan(true)
            true = true[known]
            found = returned.get(alleles)
            imputed = (
                np.zeros_like(true)
                if found is None
                else _imputed_dosages(found)[result_columns][known]
            )
            sums = _Sums.of(true, imputed, found=found is not None)
            total.add(sums)
            if (chosen := _maf_bin(sums)) is not None:
                bins[chosen].add(sums)
    result_file.finish(truth_file)
    return Accuracy(
        samples=len(names), total=total.agreement(), bins=tuple(part.agreement() for part in bins)
    )


def summarise(result: Path) -> ResultSummary:
    """Count the sites of an imputed VCF by its INFO flags, and average its estimated R2.

    Raises:
        OSError: The file cannot be read.
    """
    with_both = imputed = typed_only = 0
    r2_sum = 0.0
    file = VCF(str(result))
    for record in file:
        is_typed = record.INFO.get("TYPED") is not None
        is_imputed = record.INFO.get("IMPUTED") is not None
        if is_typed and is_imputed:
            with_both += 1
        elif is_typed:
            typed_only += 1
        elif is_imputed:
            imputed += 1
            r2 = record.INFO.get("R2")
            r2_sum += float(r2) if r2 is not None else 0.0
    sources = [
        line.removeprefix("##source=")
        for line in file.raw_header.splitlines()
        if line.startswith("##source=")
    ]
    return ResultSummary(
        samples=len(file.samples),
        typed=with_both,
        imputed=imputed,
        typed_only=typed_only,
        mean_r2=r2_sum / imputed if imputed else None,
        source=", ".join(sources),
    )


@dataclass(kw_only=True)
class _Sums:
    """Sums from which Pearson's r follows; sums of disjoint sets of sites may be added."""

    sites: int = 0
    found: int = 0
    n: int = 0
    x: float = 0.0
    y: float = 0.0
    xx: float = 0.0
    yy: float = 0.0
    xy: float = 0.0

    @classmethod
    def of(cls, x: _Dosages, y: _Dosages, *, found: bool) -> "_Sums":
        return cls(
            sites=1,
            found=int(found),
            n=x.size,
            x=float(x.sum()),
            y=float(y.sum()),
            xx=float(x @ x),
            yy=float(y @ y),
            xy=float(x @ y),
        )

    def add(self, other: "_Sums") -> None:
        self.sites += other.sites
        self.found += other.found
        self.n += other.n
        self.x += other.x
        self.y += other.y
        self.xx += other.xx
        self.yy += other.yy
        self.xy += other.xy

    def agreement(self) -> Agreement:
        return Agreement(sites=self.sites, found=self.found, r2=self._r2())

    def _r2(self) -> float | None:
        x_variance = self.n * self.xx - self.x**2
        y_variance = self.n * self.yy - self.y**2
        # What remains of a constant dosage after rounding is no variance.
        if x_variance <= 1e-9 * self.n * self.xx or y_variance <= 1e-9 * self.n * self.yy:
            return None
        return (self.n * self.xy - self.x * self.y) ** 2 / (x_variance * y_variance)


class _File:
    """One VCF or BCF of one chromosome, read forward position by position."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._reader = VCF(str(path))
        self.samples: list[str] = self._reader.samples
        self.chromosome: str | None = None
        self._groups = self._grouped()
        self._waiting = next(self._groups, None)

    def positions(self) -> Iterator[tuple[int, Mapping[_Alleles, Any]]]:
        """All positions in order, each with its biallelic records by alleles."""
        while self._waiting is not None:
            yield self._waiting
            self._waiting = next(self._groups, None)

    def at(self, position: int, other: "_File") -> Mapping[_Alleles, Any]:
        """Records at `position` of the chromosome of `other`; asked for in rising order."""
        self._refuse_another_chromosome(other)
        while self._waiting is not None and self._waiting[0] < position:
            self._waiting = next(self._groups, None)
        if self._waiting is None or self._waiting[0] != position:
            return {}
        return self._waiting[1]

    def finish(self, other: "_File") -> None:
        """Read what is left, so that a file is refused for its last record as for its first."""
        for _ in self.positions():
            self._refuse_another_chromosome(other)

    def _refuse_another_chromosome(self, other: "_File") -> None:
        if self.chromosome and other.chromosome and self.chromosome != other.chromosome:
            raise FilesDiffer(
                f"{self._name} is of chromosome {self.chromosome}, "
                f"{other._name} of {other.chromosome}."
            )

    def _grouped(self) -> Iterator[tuple[int, Mapping[_Alleles, Any]]]:
        last = 0
        for (chromosome, position), records in groupby(self._reader, _place):
            if self.chromosome not in {None, chromosome}:
                raise FilesDiffer(f"{self._name} holds more than one chromosome.")
            if position < last:
                raise FilesDiffer(f"{self._name} is not sorted at position {position}.")
            self.chromosome, last = chromosome, position
            sites: dict[_Alleles, Any] = {}
            for record in records:
                if len(record.ALT) == 1:
                    sites.setdefault((record.REF, record.ALT[0]), record)
            yield position, sites


def _place(record: Any) -> tuple[str, int]:
    return record.CHROM.removeprefix("chr"), record.POS


def _true_dosages(record: Any) -> _Dosages:
    """ALT alleles per sample, NaN where any allele is missing; haploid calls count once."""
    alleles = record.genotype.array()[:, :-1]  # the last column says whether it is phased
    dosages: _Dosages = (alleles == 1).sum(axis=1).astype(np.float64)
    dosages[(alleles == -1).any(axis=1)] = np.nan
    return dosages


def _imputed_dosages(record: Any) -> _Dosages:
    """Dosage per sample, 0 where it is missing."""
    for name in ("DS", "HDS"):
        if name in record.FORMAT:
            return np.asarray(np.nansum(record.format(name), axis=1), dtype=np.float64)
    return np.nan_to_num(_true_dosages(record))


def _maf_bin(site: _Sums) -> int | None:
    if site.n == 0:
        return None
    maf = min(site.x, 2 * site.n - site.x) / (2 * site.n)  # exact at the bounds of the bins
    for index, (lower, upper) in enumerate(MAF_BINS):
        if lower < maf <= upper:
            return index
    return None
