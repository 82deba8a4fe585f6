"""Reads of the accounts domain, and the words in which they answer."""

from federated_imputation.monolith.accounts.models import ServicePermission
from federated_imputation.monolith.accounts.queries.audit import audit_rows
from federated_imputation.monolith.accounts.queries.audit_chain import (
    AuditFault,
    AuditHead,
    AuditReport,
    FaultKind,
    verify_audit_log,
)
from federated_imputation.monolith.accounts.queries.credentials import (
    Undecryptable,
    reveal_credential,
    reveal_newer_token,
    reveal_result_password,
    reveal_tokens,
    token_stored_at,
)
from federated_imputation.monolith.accounts.queries.encrypted import (
    EncryptedRow,
    SecretsByKey,
    count_secrets,
)
from federated_imputation.monolith.accounts.queries.legacy_secrets import (
    LEGACY_COLUMNS,
    count_legacy_secrets,
    legacy_keys_after,
    legacy_secrets,
    standings,
)
from federated_imputation.monolith.accounts.queries.people import (
    find_profile,
    get_user_with_profile,
    storage_limit,
    users_with_other_storage,
)
from federated_imputation.monolith.accounts.queries.rights import find_rights, is_barred
from federated_imputation.monolith.accounts.queries.service_rights import (
    count_accessible_services,
    groups_at,
    managed_access,
    may_manage_access,
    permissions_at,
    seen_access,
    service_access_of,
    service_exists,
)
from federated_imputation.monolith.accounts.rights import Capability, Rights

__all__ = [
    "LEGACY_COLUMNS",
    "AuditFault",
    "AuditHead",
    "AuditReport",
    "Capability",
    "EncryptedRow",
    "FaultKind",
    "RightAtService",
    "Rights",
    "SecretsByKey",
    "Undecryptable",
    "audit_rows",
    "count_accessible_services",
    "count_legacy_secrets",
    "count_secrets",
    "find_profile",
    "find_rights",
    "get_user_with_profile",
    "groups_at",
    "is_barred",
    "legacy_keys_after",
    "legacy_secrets",
    "managed_access",
    "may_manage_access",
    "permissions_at",
    "reveal_credential",
    "reveal_newer_token",
    "reveal_result_password",
    "reveal_tokens",
    "seen_access",
    "service_access_of",
    "service_exists",
    "standings",
    "storage_limit",
    "token_stored_at",
    "users_with_other_storage",
    "verify_audit_log",
]

RightAtService = ServicePermission.Kind
