"""Writes of the accounts domain."""

from federated_imputation.monolith.accounts.operations.audit import record_audit
from federated_imputation.monolith.accounts.operations.credentials import (
    forget_job_secrets,
    store_credential,
)
from federated_imputation.monolith.accounts.operations.login import (
    BadCredentials,
    check_login,
    record_logout,
)

__all__ = [
    "BadCredentials",
    "check_login",
    "forget_job_secrets",
    "record_audit",
    "record_logout",
    "store_credential",
]
