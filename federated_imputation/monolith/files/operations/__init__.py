"""Writes of the files domain that other domains need."""

from federated_imputation.monolith.files.operations.results import (
    file_type_of,
    forget_results,
    keep_result,
    record_download,
    sweep_results,
    sweep_uploads,
)

__all__ = [
    "file_type_of",
    "forget_results",
    "keep_result",
    "record_download",
    "sweep_results",
    "sweep_uploads",
]
