"""All models of the app, where Django looks for them. Code imports them from their domain."""

from federated_imputation.monolith.accounts.models import (
    AuditLog,
    ServiceCredential,
    ServicePermission,
    ServiceUserGroup,
    ServiceUserGroupMembership,
    UserProfile,
    UserRole,
    UserServiceAccess,
)
from federated_imputation.monolith.files.models import ResultFile
from federated_imputation.monolith.jobs.models import (
    ImputationJob,
    JobStatusUpdate,
    JobWork,
)
from federated_imputation.monolith.registry.models import (
    ImputationService,
    ReferencePanel,
    ServiceConfiguration,
)

__all__ = [
    "AuditLog",
    "ImputationJob",
    "ImputationService",
    "JobStatusUpdate",
    "JobWork",
    "ReferencePanel",
    "ResultFile",
    "ServiceConfiguration",
    "ServiceCredential",
    "ServicePermission",
    "ServiceUserGroup",
    "ServiceUserGroupMembership",
    "UserProfile",
    "UserRole",
    "UserServiceAccess",
]
