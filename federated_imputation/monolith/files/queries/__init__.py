"""Reads of the files domain."""

from federated_imputation.monolith.files.queries.genotypes import (
    find_genotype_file,
    find_run,
    genotype_files,
    is_kept,
    is_of_tables,
    latest_checks,
    latest_run,
    locate_genotypes,
    runs_of,
    site_tables,
    storage_limit,
    stored_bytes,
)
from federated_imputation.monolith.files.queries.results import (
    FileGone,
    arrived_result,
    find_file,
    find_input,
    locate,
    results_of,
    results_of_job,
    stored_paths,
)
from federated_imputation.monolith.files.storage import result_path, upload_name

__all__ = [
    "FileGone",
    "arrived_result",
    "find_file",
    "find_genotype_file",
    "find_input",
    "find_run",
    "genotype_files",
    "is_kept",
    "is_of_tables",
    "latest_checks",
    "latest_run",
    "locate",
    "locate_genotypes",
    "result_path",
    "results_of",
    "results_of_job",
    "runs_of",
    "site_tables",
    "storage_limit",
    "stored_bytes",
    "stored_paths",
    "upload_name",
]
