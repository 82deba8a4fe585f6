"""What is shown of files."""

from federated_imputation.monolith.files.presentation.genotypes import (
    CheckOutput,
    FileRunOutput,
    GenotypeFileOutput,
    findings_as_sentences,
    shown_check,
)
from federated_imputation.monolith.files.presentation.results import ResultFileOutput, download_url

__all__ = [
    "CheckOutput",
    "FileRunOutput",
    "GenotypeFileOutput",
    "ResultFileOutput",
    "download_url",
    "findings_as_sentences",
    "shown_check",
]
