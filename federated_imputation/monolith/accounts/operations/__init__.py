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
from federated_imputation.monolith.accounts.operations.rotation import Rotation, rotate_secrets

__all__ = [
    "BadCredentials",
    "Rotation",
    "check_login",
    "forget_job_secrets",
    "record_audit",
    "record_logout",
    "rotate_secrets",
    "store_credential",
]
