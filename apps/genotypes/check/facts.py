"""What a file is, as its check tells it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = [
    "ChromosomeFacts",
    "Facts",
    "FileFormat",
    "QualityFacts",
    "SampleFacts",
    "read_facts",
]


class FileFormat(StrEnum):
    """What the content of a file is, whatever its name says."""

    VCF = "vcf"
    BCF = "bcf"
    PLINK = "plink"
    PLINK2 = "plink2"
    BGEN = "bgen"
    ZIP = "zip"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class ChromosomeFacts:
    """One chromosome of the file.

    Attributes:
        name: Without `chr`, 23 as X; None when it is no chromosome that can be imputed.
        spelled: As the file spells it.
        first, last: Lowest and highest position.
    """

    name: str | None
    spelled: str
    records: int
    first: int
    last: int


@dataclass(frozen=True, kw_only=True)
class SampleFacts:
    """A sample that stands out; `sample` is its number in the header, from 1."""

    sample: int
    name: str
    value: float


@dataclass(frozen=True, kw_only=True)
class QualityFacts:
    """What the genotypes are like (stage 3); sites are those of one REF and one ALT allele.

    Attributes:
        genotypes: Genotypes read.
        call_rate: Share of them that are not missing; None without any.
        sites_low_call_rate: Sites with more than 10 % missing.
        transitions, transversions: SNPs by kind.
        ti_tv: Their ratio; None without transversions.
        heterozygosity: Mean over the samples of heterozygous among called diploid genotypes.
        allele_frequencies: Sites by frequency of ALT, in 20 bins from 0 to 1.
        sample_call_rates: Samples by call rate, in 20 bins from 0 to 1.
        samples_low_call_rate: Those below 90 %, the lowest first, 20 at most.
        samples_heterozygosity: Those far from the others, the farthest first, 20 at most.
    """

    genotypes: int
    call_rate: float | None
    sites_low_call_rate: int
    transitions: int
    transversions: int
    ti_tv: float | None
    heterozygosity: float | None
    allele_frequencies: tuple[int, ...]
    sample_call_rates: tuple[int, ...]
    samples_low_call_rate: tuple[SampleFacts, ...] = ()
    samples_heterozygosity: tuple[SampleFacts, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the file is.

    Attributes:
        compression: `bgzf`, `gzip`, `zip` or `none`.
        size: Bytes of the file.
        complete: Whether it was read to its end.
        version: Of VCF, `4.2` and so on; '' when it is none.
        samples: None when the header does not tell.
        build: `hg19` or `hg38`, from the lengths of the contigs; None when they do not tell.
        phased: Whether no genotype has a `/`; None before stage 2. Mitochondria count as phased.
        unphased_records: Records with a `/` among their genotypes.
        variants: Records by what becomes of them without a panel: `kept`, and the reasons in the
            order of the service: `multiallelic`, `invalid alleles`, `duplicate`, `filtered`,
            `indel`, `monomorphic`, and `unreadable` for those that break a rule of the format.
        quality: None before stage 3, and when the file cannot be read that far.
    """

    format: FileFormat
    compression: str
    size: int
    complete: bool = False
    version: str = ""
    samples: int | None = None
    records: int = 0
    chromosomes: tuple[ChromosomeFacts, ...] = ()
    build: str | None = None
    phased: bool | None = None
    unphased_records: int = 0
    variants: Mapping[str, int] = field(default_factory=dict)
    quality: QualityFacts | None = None


def read_facts(value: Mapping[str, Any]) -> Facts:
    """Read what `asdict` made of facts.

    Raises:
        KeyError, TypeError, ValueError: it is not that.
    """
    return Facts(
        **{
            **value,
            "format": FileFormat(value["format"]),
            "chromosomes": tuple(ChromosomeFacts(**item) for item in value["chromosomes"]),
            "quality": None if value["quality"] is None else _quality(value["quality"]),
        }
    )


def _quality(value: Mapping[str, Any]) -> QualityFacts:
    return QualityFacts(
        **{
            **value,
            "allele_frequencies": tuple(value["allele_frequencies"]),
            "sample_call_rates": tuple(value["sample_call_rates"]),
            "samples_low_call_rate": _samples(value["samples_low_call_rate"]),
            "samples_heterozygosity": _samples(value["samples_heterozygosity"]),
        }
    )


def _samples(values: Sequence[Mapping[str, Any]]) -> tuple[SampleFacts, ...]:
    return tuple(SampleFacts(**value) for value in values)
