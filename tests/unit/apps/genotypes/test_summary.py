"""What an imputed VCF says about itself."""

from pathlib import Path

import pytest

from apps.genotypes.summary import summarise

HEADER = """\
##fileformat=VCFv4.2
##source=Engine 1.0
##contig=<ID=20>
##INFO=<ID=R2,Number=1,Type=Float,Description="Estimated accuracy">
##INFO=<ID=TYPED,Number=0,Type=Flag,Description="Typed">
##INFO=<ID=IMPUTED,Number=0,Type=Flag,Description="Imputed">
##FORMAT=<ID=DS,Number=1,Type=Float,Description="Dosage">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb
"""


def write_result(path: Path, *infos: str) -> Path:
    """A result of two samples with one site for each INFO."""
    records = [
        f"20\t{at}\t.\tA\tC\t.\tPASS\t{info}\tDS\t0\t1\n" for at, info in enumerate(infos, start=1)
    ]
    path.write_text(HEADER + "".join(records))
    return path


def test_summarise_counts_sites_by_their_flags(tmp_path: Path) -> None:
    imputed = ("R2=0.5;IMPUTED", "R2=0.25;IMPUTED")
    path = write_result(tmp_path / "r.vcf", *imputed, "R2=0.9;TYPED;IMPUTED", "TYPED", "TYPED")

    summary = summarise(path)

    assert (summary.typed, summary.imputed, summary.typed_only) == (1, 2, 2)
    assert summary.mean_r2 == pytest.approx(0.375)
    assert summary.samples == 2
    assert summary.source == "Engine 1.0"


def test_summarise_has_no_mean_r2_when_nothing_is_imputed(tmp_path: Path) -> None:
    assert summarise(write_result(tmp_path / "r.vcf", "TYPED")).mean_r2 is None
