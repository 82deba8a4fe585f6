"""What users and groups may do at single services."""

from django.conf import settings
from django.db import models
from django.utils.timezone import now

__all__ = [
    "ServicePermission",
    "ServiceUserGroup",
    "ServiceUserGroupMembership",
    "UserServiceAccess",
]


class ServicePermission(models.Model):
    """A right of one user at one service."""

    class Kind(models.TextChoices):
        VIEW = "view", "View"
        SUBMIT_JOBS = "submit_jobs", "Submit jobs"
        VIEW_JOBS = "view_jobs", "View jobs"
        MANAGE_JOBS = "manage_jobs", "Manage jobs"
        ADMIN = "admin", "Administer"

    permission = models.CharField(max_length=20, choices=Kind)
    granted_at = models.DateTimeField(default=now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="granted_service_permissions",
    )
    service = models.ForeignKey(
        "imputation.ImputationService", on_delete=models.CASCADE, related_name="user_permissions"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="service_permissions"
    )

    class Meta:
        unique_together = [("service", "user", "permission")]

    def __str__(self) -> str:
        return f"{self.permission} at service {self.service_id} for user {self.user_id}"


class ServiceUserGroup(models.Model):
    """Users of one service who share rights."""

    name = models.CharField(max_length=100)
    description = models.TextField(blank=True, default="")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="created_service_groups",
    )
    permissions = models.ManyToManyField(ServicePermission, blank=True, related_name="groups")
    service = models.ForeignKey(
        "imputation.ImputationService", on_delete=models.CASCADE, related_name="user_groups"
    )

    class Meta:
        unique_together = [("name", "service")]

    def __str__(self) -> str:
        return f"{self.name} at service {self.service_id}"


class ServiceUserGroupMembership(models.Model):
    """That a user is in a group, for ever or until `expires_at`."""

    joined_at = models.DateTimeField(default=now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="added_group_memberships",
    )
    group = models.ForeignKey(
        ServiceUserGroup, on_delete=models.CASCADE, related_name="memberships"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="group_memberships"
    )

    class Meta:
        unique_together = [("group", "user")]

    def __str__(self) -> str:
        return f"User {self.user_id} in group {self.group_id}"


class UserServiceAccess(models.Model):
    """Whether, and how much, a user may use a service; its `api_key` is no longer written."""

    has_access = models.BooleanField(default=True)
    api_key = models.CharField(max_length=500, blank=True, default="", editable=False)
    quota_limit = models.IntegerField(null=True, blank=True)
    quota_used = models.IntegerField(default=0)
    last_used = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    service = models.ForeignKey(
        "imputation.ImputationService", on_delete=models.CASCADE, related_name="user_access"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="service_access"
    )

    class Meta:
        unique_together = [("user", "service")]

    def __str__(self) -> str:
        return f"Access of user {self.user_id} to service {self.service_id}"
