"""Imputed dosages as lines of VCF, as minimac4 lays them out.

Haploid dosages are kept as whole thousandths, which is what the files hold: what is summarised in
INFO is exactly what a reader of the file finds in HDS.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = [
    "DOSE_FORMAT",
    "EMPIRICAL_FORMAT",
    "Cells",
    "Ploidy",
    "Thousandths",
    "dose_header",
    "empirical_cells",
    "empirical_header",
    "info_header",
    "site_info",
    "squared_correlation",
    "to_thousandths",
]

Thousandths = npt.NDArray[np.uint16]

DOSE_FORMAT = b"GT:DS:HDS:GP"
EMPIRICAL_FORMAT = b"GT:LDS"

_TEXTS = tuple(f"{n / 1000:.3g}".encode() if n < 1000 else b"1" for n in range(1001))

_INFO = (
    '##INFO=<ID=AF,Number=1,Type=Float,Description="Estimated frequency of the ALT allele">',
    '##INFO=<ID=MAF,Number=1,Type=Float,Description="Estimated frequency of the minor allele">',
    '##INFO=<ID=AVG_CS,Number=1,Type=Float,Description="Average certainty of the alleles">',
    '##INFO=<ID=R2,Number=1,Type=Float,Description="Estimated imputation accuracy">',
    '##INFO=<ID=ER2,Number=1,Type=Float,Description="Empirical accuracy at typed sites">',
)
_FLAGS = (
    '##INFO=<ID=IMPUTED,Number=0,Type=Flag,Description="Site of the reference panel">',
    '##INFO=<ID=TYPED,Number=0,Type=Flag,Description="Site of the uploaded data">',
)
_DOSE = (
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
    '##FORMAT=<ID=DS,Number=1,Type=Float,Description="ALT dosage, P(0/1) + 2 P(1/1)">',
    '##FORMAT=<ID=HDS,Number=.,Type=Float,Description="ALT dosage of each haplotype">',
    '##FORMAT=<ID=GP,Number=G,Type=Float,Description="Probability of 0/0, 0/1 and 1/1">',
)
_EMPIRICAL = (
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="Typed alleles">',
    '##FORMAT=<ID=LDS,Number=.,Type=Float,Description="Leave-one-out ALT dosage of haplotypes">',
)


def to_thousandths(dosages: npt.NDArray[np.floating]) -> Thousandths:
    """Round dosages from 0 to 1 to whole thousandths."""
    return np.asarray(np.rint(np.clip(dosages, 0, 1) * 1000), np.uint16)


class Ploidy:
    """Which haplotypes are whose.

    Attributes:
        haploid: Samples of one haplotype, shape (samples,).
        first, second: Where the haplotypes of each sample are; a haploid one's are the same place.
    """

    def __init__(self, haploid: npt.NDArray[np.bool_]) -> None:
        self.haploid = haploid
        self.first = np.cumsum(2 - haploid) - (2 - haploid)
        self.second = np.where(haploid, self.first, self.first + 1)

    @property
    def haplotypes(self) -> int:
        """Of all samples."""
        return 2 * len(self.haploid) - int(self.haploid.sum())


class Cells(dict[int, bytes]):
    """The text of a sample's dosages, by `first * 1001 + second` in thousandths.

    Few pairs make up nearly all of a file, so each is written out once. A haploid sample's key is
    `-1 - first`.
    """

    _MOST = 200_000

    def __missing__(self, key: int) -> bytes:
        if len(self) >= self._MOST:
            self.clear()
        self[key] = text = _one(-1 - key) if key < 0 else _two(*divmod(key, 1001))
        return text

    def row(self, dosages: Thousandths, ploidy: Ploidy) -> bytes:
        """The sample columns of one site, from the dosages of its haplotypes, shape (H,)."""
        first = dosages[ploidy.first].astype(np.int32)
        keys = np.where(ploidy.haploid, -1 - first, first * 1001 + dosages[ploidy.second])
        return b"\t".join([self[key] for key in keys.tolist()])


def _one(dosage: int) -> bytes:
    share = dosage / 1000
    text = _TEXTS[dosage]
    return b"%d:%b:%b:%b,%b" % (dosage > 500, text, text, _short(1 - share), _short(share))


def _two(first: int, second: int) -> bytes:
    one, other = first / 1000, second / 1000
    none = (1 - one) * (1 - other)
    both = one * other
    return b"%d|%d:%b:%b,%b:%b,%b,%b" % (
        first > 500,
        second > 500,
        _short((first + second) / 1000),
        _TEXTS[first],
        _TEXTS[second],
        _short(none),
        _short(max(0.0, 1 - none - both)),
        _short(both),
    )


def _short(value: float) -> bytes:
    """At most three decimals, without trailing zeros."""
    return f"{value:.3f}".rstrip("0").rstrip(".").encode()


def empirical_cells(alleles: npt.NDArray[np.int8], dosages: Thousandths, ploidy: Ploidy) -> bytes:
    """The sample columns of the empirical file.

    Args:
        alleles: Typed alleles of the haplotypes, -1 for missing, shape (H,).
        dosages: Their leave-one-out dosages, shape (H,).
    """
    seen = [b"." if allele < 0 else b"%d" % allele for allele in alleles.tolist()]
    left = [_TEXTS[dosage] for dosage in dosages.tolist()]
    return b"\t".join(
        [
            b"%b:%b" % (seen[one], left[one])
            if one == other
            else b"%b|%b:%b,%b" % (seen[one], seen[other], left[one], left[other])
            for one, other in zip(ploidy.first.tolist(), ploidy.second.tolist(), strict=True)
        ]
    )


def site_info(dosages: Thousandths) -> tuple[npt.NDArray[np.float64], list[bytes]]:
    """R2 and the INFO text `AF;MAF;AVG_CS;R2` of a block of sites.

    R2 is the variance of the haploid dosages over that of perfectly known alleles of the same
    frequency, p (1 - p); 0 where no allele varies (Das et al. 2016).

    Args:
        dosages: Shape (sites, haplotypes).
    """
    share = dosages / 1000
    frequency = share.mean(axis=1)
    known = frequency * (1 - frequency)
    variance = np.square(share).mean(axis=1) - np.square(frequency)
    r2 = np.divide(variance, known, out=np.zeros_like(known), where=known > 1e-12).clip(0, 1)
    certainty = np.maximum(share, 1 - share).mean(axis=1)
    texts = [
        f"AF={af:.6g};MAF={min(af, 1 - af):.6g};AVG_CS={cs:.6g};R2={r:.6g}".encode()
        for af, cs, r in zip(frequency.tolist(), certainty.tolist(), r2.tolist(), strict=True)
    ]
    return r2, texts


def squared_correlation(alleles: npt.NDArray[np.int8], dosages: Thousandths) -> float:
    """ER2: squared Pearson r of typed alleles and leave-one-out dosages.

    Haplotypes whose allele is missing are left out; 0 where one side does not vary.
    """
    seen = alleles >= 0
    x = alleles[seen].astype(np.float64)
    y = dosages[seen].astype(np.float64)
    if not len(x):
        return 0.0
    x -= x.mean()
    y -= y.mean()
    spread = float(x @ x) * float(y @ y)
    return float(x @ y) ** 2 / spread if spread > 0 else 0.0


def _header(lines: Sequence[str], source: str, chromosome: str, columns: Sequence[str]) -> bytes:
    text = [
        "##fileformat=VCFv4.2",
        f"##source={source}",
        "##phasing=full",
        f"##contig=<ID={chromosome}>",
        '##FILTER=<ID=PASS,Description="All filters passed">',
        *lines,
        "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", *columns]),
    ]
    return ("\n".join(text) + "\n").encode()


def dose_header(source: str, chromosome: str, samples: Sequence[str]) -> bytes:
    return _header([*_INFO, *_FLAGS, *_DOSE], source, chromosome, ["FORMAT", *samples])


def info_header(source: str, chromosome: str) -> bytes:
    return _header([*_INFO, *_FLAGS], source, chromosome, [])


def empirical_header(source: str, chromosome: str, samples: Sequence[str]) -> bytes:
    return _header([*_FLAGS, *_EMPIRICAL], source, chromosome, ["FORMAT", *samples])
