"""Reads of the files domain that other domains need."""

from federated_imputation.monolith.files.queries.results import (
    FileGone,
    find_file,
    locate,
    results_of,
    results_of_job,
    stored_paths,
)

__all__ = ["FileGone", "find_file", "locate", "results_of", "results_of_job", "stored_paths"]
