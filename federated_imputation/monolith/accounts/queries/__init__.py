"""Reads of the accounts domain."""

from federated_imputation.monolith.accounts.queries.credentials import (
    Undecryptable,
    reveal_credential,
    reveal_result_password,
)
from federated_imputation.monolith.accounts.queries.people import (
from federated_imputation.monolith.accounts.queries.encrypted import (
    EncryptedRow,
    SecretsByKey,
    count_secrets,
)
    find_profile,
    get_user_with_profile,
)
from federated_imputation.monolith.accounts.queries.rights import find_rights
from federated_imputation.monolith.accounts.queries.service_rights import count_accessible_services

__all__ = [
    "Undecryptable",
    "count_accessible_services",
    "find_profile",
    "find_rights",
    "get_user_with_profile",
    "reveal_credential",
    "EncryptedRow",
    "SecretsByKey",
    "reveal_result_password",
]
    "count_secrets",
