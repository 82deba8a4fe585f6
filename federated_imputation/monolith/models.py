"""All models of the app, where Django looks for them. Code imports them from their domain."""

from federated_imputation.monolith.accounts.models import (
    ApiToken,
    AuditLog,
    AuditSeal,
    NotificationPreference,
    RevokedToken,
    ServiceCredential,
    ServicePermission,
    ServiceUserGroup,
    ServiceUserGroupMembership,
    SigningKey,
    TokenFamily,
    UserProfile,
    UserRole,
    UserServiceAccess,
)
from federated_imputation.monolith.backfills.models import BackfillProgress
from federated_imputation.monolith.files.models import (
    FileRun,
    GenotypeFile,
    PanelSites,
    ResultFile,
    StoredFile,
)
from federated_imputation.monolith.jobs.models import (
    ChildJob,
    ImputationJob,
    JobStatusUpdate,
    JobWork,
    ParentJob,
)
from federated_imputation.monolith.registry.models import (
    ImputationService,
    ReferencePanel,
    ServiceConfiguration,
    ServiceStanding,
    ServiceSync,
)

__all__ = [
    "ApiToken",
    "AuditLog",
    "AuditSeal",
    "BackfillProgress",
    "ChildJob",
    "FileRun",
    "GenotypeFile",
    "ImputationJob",
    "ImputationService",
    "JobStatusUpdate",
    "JobWork",
    "NotificationPreference",
    "PanelSites",
    "ParentJob",
    "ReferencePanel",
    "ResultFile",
    "RevokedToken",
    "ServiceConfiguration",
    "ServiceCredential",
    "ServicePermission",
    "ServiceStanding",
    "ServiceSync",
    "ServiceUserGroup",
    "ServiceUserGroupMembership",
    "SigningKey",
    "StoredFile",
    "TokenFamily",
    "UserProfile",
    "UserRole",
    "UserServiceAccess",
]
