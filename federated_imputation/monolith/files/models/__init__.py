"""Tables of the files domain."""

from federated_imputation.monolith.files.models.results import ResultFile

__all__ = ["ResultFile"]
