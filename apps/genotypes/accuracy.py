"""How well an imputed result agrees with the truth, when the truth is known.

The measure is the squared Pearson correlation over all pairs of sample and site ("aggregate r²"),
at the sites of the truth that are not on the array. A site that the result lacks counts as
dosage 0, so that nothing is gained by returning less.

All files are read once, side by side, position by position: memory does not grow with them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
    "measure",
]

# Bounds of the bins of minor-allele frequency, each without its lower and with its upper bound.
MAF_BINS: Final = ((0.0, 0.01), (0.01, 0.05), (0.05, 0.2), (0.2, 0.5))

_BLOCK_SITES: Final = 512

_Alleles = tuple[str, str]
_Dosages = npt.NDArray[np.floating[Any]]


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
    truth_columns = _columns(truth_file, names)
    result_columns = _columns(result_file, names)
    array_file = _File(array)
    panel_file = _File(panel) if panel is not None else None

    sums = _Sums()
    block = _Block()
    for position, true_sites in truth_file.positions():
        returned = result_file.at(position, truth_file)
        on_array = array_file.at(position, truth_file)
        in_panel = panel_file.at(position, truth_file) if panel_file else true_sites
        for alleles, record in true_sites.items():
            if alleles in on_array or alleles not in in_panel:
                continue
            found = returned.get(alleles)
            block.add(
                _true_dosages(record)[truth_columns],
                None if found is None else _imputed_dosages(found)[result_columns],
            )
            if block.is_full:
                sums.add(block)
                block = _Block()
    sums.add(block)
    result_file.finish(truth_file)
    return Accuracy(samples=len(names), total=sums.total(), bins=sums.bins())


class _Block:
    """Dosages of some sites, so that numpy works on many at once."""

    def __init__(self) -> None:
        self.true: list[_Dosages] = []
        self.imputed: list[_Dosages] = []
        self.found: list[bool] = []

    @property
    def is_full(self) -> bool:
        return len(self.true) >= _BLOCK_SITES

    def add(self, true: _Dosages, imputed: _Dosages | None) -> None:
        """Add a site; `imputed` is None when the result lacks it."""
        self.true.append(true)
        self.imputed.append(np.zeros_like(true) if imputed is None else imputed)
        self.found.append(imputed is not None)


class _Sums:
    """Per bin, and for sites in no bin, the sums from which Pearson's r follows.

    The columns are n, x, y, xx, yy, xy over pairs of sample and site, x being the truth; the last
    row is of the sites that do not vary in the truth.
    """

    def __init__(self) -> None:
        self._pairs = np.zeros((len(MAF_BINS) + 1, 6))
        self._sites = np.zeros((len(MAF_BINS) + 1, 2), dtype=np.int64)

    def add(self, block: _Block) -> None:
        if not block.true:
            return
        x, y = np.array(block.true, dtype=np.float64), np.array(block.imputed, dtype=np.float64)
        known = ~np.isnan(x)
        x[~known] = 0
        y[~known | np.isnan(y)] = 0
        products = (known, x, y, x * x, y * y, x * y)
        pairs = np.stack([product.sum(axis=1) for product in products], axis=1)
        sites = np.stack([np.ones(len(x), dtype=np.int64), np.array(block.found)], axis=1)
        chosen = _maf_bins(alternative=pairs[:, 1], known=pairs[:, 0])
        np.add.at(self._pairs, chosen, pairs)
        np.add.at(self._sites, chosen, sites)

    def bins(self) -> tuple[Agreement, ...]:
        rows = range(len(MAF_BINS))
        return tuple(_agreement(self._pairs[row], self._sites[row]) for row in rows)

    def total(self) -> Agreement:
        return _agreement(self._pairs.sum(axis=0), self._sites.sum(axis=0))


def _agreement(pairs: npt.NDArray[np.float64], sites: npt.NDArray[np.int64]) -> Agreement:
    n, x, y, xx, yy, xy = (float(value) for value in pairs)
    x_variance = n * xx - x**2
    y_variance = n * yy - y**2
    # What remains of a constant dosage after rounding is no variance.
    varies = x_variance > 1e-9 * n * xx and y_variance > 1e-9 * n * yy
    r2 = (n * xy - x * y) ** 2 / (x_variance * y_variance) if varies else None
    return Agreement(sites=int(sites[0]), found=int(sites[1]), r2=r2)


def _maf_bins(*, alternative: _Dosages, known: _Dosages) -> npt.NDArray[np.int64]:
    """Row of each site: that of its bin, or the last when it does not vary."""
    chosen = np.full(len(known), len(MAF_BINS), dtype=np.int64)
    # Exact at the bounds of the bins, since it is one division of counts.
    maf = np.minimum(alternative, 2 * known - alternative) / np.maximum(2 * known, 1)
    for row, (lower, upper) in enumerate(MAF_BINS):
        chosen[(lower < maf) & (maf <= upper)] = row
    return chosen


class _File:
    """One VCF or BCF of one chromosome, read forward position by position."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._reader = VCF(str(path))
        self.samples: list[str] = self._reader.samples
        self.chromosome: str | None = None
        self._written_chromosome = ""
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
        position = 0
        sites: dict[_Alleles, Any] = {}
        for record in self._reader:
            written, here = record.CHROM, record.POS
            if written != self._written_chromosome:
                self._begin_chromosome(written)
            if here != position:
                if here < position:
                    raise FilesDiffer(f"{self._name} is not sorted at position {here}.")
                if sites:
                    yield position, sites
                position, sites = here, {}
            alternatives = record.ALT
            if len(alternatives) == 1:
                sites.setdefault((record.REF, alternatives[0]), record)
        if sites:
            yield position, sites

    def _begin_chromosome(self, written: str) -> None:
        if self.chromosome is not None:
            raise FilesDiffer(f"{self._name} holds more than one chromosome.")
        self._written_chromosome = written
        self.chromosome = written.removeprefix("chr")


def _columns(file: _File, names: Sequence[str]) -> Any:
    """Index of the named samples in the dosages of a record."""
    if file.samples == names:
        return slice(None)
    place = {name: column for column, name in enumerate(file.samples)}
    return [place[name] for name in names]


def _true_dosages(record: Any) -> _Dosages:
    """ALT alleles per sample, NaN where any allele is missing; haploid calls count once."""
    alleles = record.genotype.array()[:, :-1]  # the last column says whether it is phased
    if alleles.min() >= 0:
        return np.asarray(alleles.sum(axis=1), dtype=np.float64)
    dosages: _Dosages = (alleles == 1).sum(axis=1).astype(np.float64)
    dosages[(alleles == -1).any(axis=1)] = np.nan
    return dosages


def _imputed_dosages(record: Any) -> _Dosages:
    """Dosage per sample, NaN where it is missing."""
    fields = record.FORMAT
    if "DS" in fields:
        return np.asarray(record.format("DS")[:, 0])
    if "HDS" in fields:
        return np.asarray(np.nansum(record.format("HDS"), axis=1))
    return _true_dosages(record)
