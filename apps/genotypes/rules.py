"""The numbers by which a file of genotypes is accepted or refused."""

from dataclasses import dataclass

__all__ = ["CHUNK_SIZE", "JobLimits", "PanelRules"]

# Base pairs of a chromosome that are imputed by themselves.
CHUNK_SIZE = 20_000_000


@dataclass(frozen=True, kw_only=True)
class PanelRules:
    """What a panel asks of the data that is imputed against it (imputationserver2 `qcFilter`).

    Attributes:
        overlap: Least share of a chunk's sites that are in the panel.
        min_snps: Least number of a chunk's sites that are in the panel.
        sample_call_rate: Least call rate that every sample must have in a chunk.
        mixed_genotypes_x: Largest share of `1/.` calls of a sample on chromosome X, between the
            pseudoautosomal regions.
        strand_flips: Most strand flips, combined ones included, before a job fails.
        allele_switches: The same for allele switches; `None` is without limit.
    """

    overlap: float = 0.5
    min_snps: int = 3
    sample_call_rate: float = 0.5
    mixed_genotypes_x: float = 0.1
    strand_flips: int = 100
    allele_switches: int | None = None


@dataclass(frozen=True, kw_only=True)
class JobLimits:
    """How many samples a job may have."""

    min_samples: int = 20
    max_samples: int = 50_000
