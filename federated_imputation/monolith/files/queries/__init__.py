"""Reads of the files domain."""

from federated_imputation.monolith.files.queries.genotypes import (
    all_stored_bytes,
    all_stored_bytes_by_user,
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
    locate,
    results_of,
    results_of_job,
    stored_paths,
)
from federated_imputation.monolith.files.queries.stored import (
    bytes_of_input,
    count_stored_files,
    standings_in_store,
    stored_file_keys,
)
from federated_imputation.monolith.files.storage import result_path, upload_name

__all__ = [
    "FileGone",
    "all_stored_bytes",
    "all_stored_bytes_by_user",
    "arrived_result",
    "bytes_of_input",
    "count_stored_files",
    "find_file",
    "find_genotype_file",
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
    "standings_in_store",
    "storage_limit",
    "stored_bytes",
    "stored_file_keys",
    "stored_paths",
    "upload_name",
]
