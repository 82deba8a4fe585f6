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
    StoredAnswer,
    TokenFamily,
    UserProfile,
    UserRole,
    UserServiceAccess,
)
from federated_imputation.monolith.backfills.models import BackfillProgress
from federated_imputation.monolith.deletions.models import Deletion
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
from federated_imputation.monolith.jobs.plans.models import (
    BatchJob,
    JobBatch,
    JobTemplate,
    ScheduledExecution,
    ScheduledJob,
)
from federated_imputation.monolith.registry.health.models import ServiceCheck, ServiceHealth
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
    "BatchJob",
    "ChildJob",
    "Deletion",
    "FileRun",
    "GenotypeFile",
    "ImputationJob",
    "ImputationService",
    "JobBatch",
    "JobStatusUpdate",
    "JobTemplate",
    "JobWork",
    "NotificationPreference",
    "PanelSites",
    "ParentJob",
    "ReferencePanel",
    "ResultFile",
    "RevokedToken",
    "ScheduledExecution",
    "ScheduledJob",
    "ServiceCheck",
    "ServiceConfiguration",
    "ServiceCredential",
    "ServiceHealth",
    "ServicePermission",
    "ServiceStanding",
    "ServiceSync",
    "ServiceUserGroup",
    "ServiceUserGroupMembership",
    "SigningKey",
    "StoredAnswer",
    "StoredFile",
    "TokenFamily",
    "UserProfile",
    "UserRole",
    "UserServiceAccess",
]
