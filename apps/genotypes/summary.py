"""What an imputed VCF says about itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyvcf2 import VCF

__all__ = ["ResultSummary", "summarise"]


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
        phasing: Value of `##mis_phasing`, which names the program that phased; empty without one.
    """

    samples: int
    typed: int
    imputed: int
    typed_only: int
    mean_r2: float | None
    source: str
    phasing: str = ""


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
    return ResultSummary(
        samples=len(file.samples),
        typed=with_both,
        imputed=imputed,
        typed_only=typed_only,
        mean_r2=r2_sum / imputed if imputed else None,
        source=_header_value(file, "source"),
        phasing=_header_value(file, "mis_phasing"),
    )


def _header_value(file: Any, name: str) -> str:
    prefix = f"##{name}="
    lines = str(file.raw_header).splitlines()
    return ", ".join(line.removeprefix(prefix) for line in lines if line.startswith(prefix))
