"""Tables of the accounts domain."""

from federated_imputation.monolith.accounts.models.answers import StoredAnswer
from federated_imputation.monolith.accounts.models.audit import AuditLog, AuditSeal
from federated_imputation.monolith.accounts.models.credentials import ServiceCredential
from federated_imputation.monolith.accounts.models.people import UserProfile, UserRole
from federated_imputation.monolith.accounts.models.preferences import NotificationPreference
from federated_imputation.monolith.accounts.models.service_rights import (
    ServicePermission,
    ServiceUserGroup,
    ServiceUserGroupMembership,
    UserServiceAccess,
)
from federated_imputation.monolith.accounts.models.tokens import (
    ApiToken,
    RevokedToken,
    SigningKey,
    TokenFamily,
)

__all__ = [
    "ApiToken",
    "AuditLog",
    "AuditSeal",
    "NotificationPreference",
    "RevokedToken",
    "ServiceCredential",
    "ServicePermission",
    "ServiceUserGroup",
    "ServiceUserGroupMembership",
    "SigningKey",
    "StoredAnswer",
    "TokenFamily",
    "UserProfile",
    "UserRole",
    "UserServiceAccess",
]
