"""Tables of the files domain."""

from federated_imputation.monolith.files.models.genotypes import (
    MOST_STARTS,
    FileRun,
    GenotypeFile,
    PanelSites,
)
from federated_imputation.monolith.files.models.results import ResultFile
from federated_imputation.monolith.files.models.stored import StoredFile

__all__ = ["MOST_STARTS", "FileRun", "GenotypeFile", "PanelSites", "ResultFile", "StoredFile"]
