"""Where Django looks for admin pages; each domain describes its own."""

from federated_imputation.monolith.accounts import admin as accounts
from federated_imputation.monolith.files import admin as files
from federated_imputation.monolith.jobs import admin as jobs
from federated_imputation.monolith.registry import admin as registry

__all__ = ["accounts", "files", "jobs", "registry"]
