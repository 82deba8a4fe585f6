"""Writes of the files domain that other domains need."""

from federated_imputation.monolith.files.operations.adoption import (
    Digested,
    adopt_bytes,
    digest_bytes,
)
from federated_imputation.monolith.files.operations.genotypes import forget_genotypes
from federated_imputation.monolith.files.operations.inputs import (
    drop_input,
    forget_input,
    keep_input,
    link_input,
    share_input,
    sweep_inputs,
)
from federated_imputation.monolith.files.operations.panel_sites import forget_sites
from federated_imputation.monolith.files.operations.results import (
    file_type_of,
    forget_results,
    keep_result,
    make_place,
    record_download,
    sweep_results,
)
from federated_imputation.monolith.files.operations.storage_use import recount_on_commit
from federated_imputation.monolith.files.operations.stored import name_bytes, sweep_objects
from federated_imputation.monolith.files.storage import StoredUpload

__all__ = [
    "Digested",
    "StoredUpload",
    "adopt_bytes",
    "digest_bytes",
    "drop_input",
    "file_type_of",
    "forget_genotypes",
    "forget_input",
    "forget_results",
    "forget_sites",
    "keep_input",
    "keep_result",
    "link_input",
    "make_place",
    "name_bytes",
    "record_download",
    "recount_on_commit",
    "share_input",
    "sweep_inputs",
    "sweep_objects",
    "sweep_results",
]
