"""Writes of the accounts domain, and the words in which they are asked for."""

from federated_imputation.monolith.accounts.models import ServiceCredential
from federated_imputation.monolith.accounts.operations.audit import record_audit
from federated_imputation.monolith.accounts.operations.credentials import (
    forget_credential,
    forget_job_secrets,
    forget_service_secrets,
    store_credential,
)
from federated_imputation.monolith.accounts.operations.erasure import (
    erase_user,
    forget_service,
    forget_user_rights,
)
from federated_imputation.monolith.accounts.operations.idempotency import (
    Answer,
    answered_once,
)
from federated_imputation.monolith.accounts.operations.legacy_secrets import (
    Emptying,
    empty_legacy_secrets,
    encrypt_legacy_secrets,
)
from federated_imputation.monolith.accounts.operations.login import (
    BadCredentials,
    check_login,
)
from federated_imputation.monolith.accounts.operations.quotas import (
    QuotaExceeded,
    keep_storage_used,
    reserve_jobs,
)
from federated_imputation.monolith.accounts.operations.reads import record_read
from federated_imputation.monolith.accounts.operations.rotation import Rotation, rotate_secrets
from federated_imputation.monolith.accounts.operations.service_rights import (
    add_member,
    change_permission,
    create_group,
    delete_group,
    edit_group,
    grant_permission,
    remove_member,
    revoke_permission,
)

__all__ = [
    "Answer",
    "BadCredentials",
    "CredentialKind",
    "Emptying",
    "QuotaExceeded",
    "Rotation",
    "add_member",
    "answered_once",
    "change_permission",
    "check_login",
    "create_group",
    "delete_group",
    "edit_group",
    "empty_legacy_secrets",
    "encrypt_legacy_secrets",
    "erase_user",
    "forget_credential",
    "forget_job_secrets",
    "forget_service",
    "forget_service_secrets",
    "forget_user_rights",
    "grant_permission",
    "keep_storage_used",
    "record_audit",
    "record_read",
    "remove_member",
    "reserve_jobs",
    "revoke_permission",
    "rotate_secrets",
    "store_credential",
]

CredentialKind = ServiceCredential.Kind
