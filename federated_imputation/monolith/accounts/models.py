"""Roles, profiles, rights at services, the audit log and the secrets of services and users.

All but `ServiceCredential` are tables of the legacy system. Users are Django's own `auth_user`.
"""

from django.conf import settings
from django.contrib.auth.models import Permission
from django.db import models
from django.db.models import Q
from django.utils.timezone import now

__all__ = [
    "AuditLog",
    "ServiceCredential",
    "ServicePermission",
    "ServiceUserGroup",
    "ServiceUserGroupMembership",
    "UserProfile",
    "UserRole",
    "UserServiceAccess",
]


class UserRole(models.Model):
    """What a user may do on the platform."""

    class Name(models.TextChoices):
        ADMIN = "admin", "Administrator"
        SERVICE_ADMIN = "service_admin", "Service administrator"
        RESEARCHER = "researcher", "Researcher"
        SERVICE_USER = "service_user", "Service user"
        VIEWER = "viewer", "Viewer"

    name = models.CharField(max_length=50, unique=True, choices=Name)
    description = models.TextField(blank=True, default="")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    permissions = models.ManyToManyField(Permission, blank=True)

    def __str__(self) -> str:
        return self.name


class UserProfile(models.Model):
    """What the platform knows about a user beyond the login; a user may have none."""

    organization = models.CharField(max_length=200, blank=True, default="")
    department = models.CharField(max_length=200, blank=True, default="")
    position = models.CharField(max_length=100, blank=True, default="")
    phone = models.CharField(max_length=20, blank=True, default="")
    research_area = models.CharField(max_length=200, blank=True, default="")
    institution = models.CharField(max_length=200, blank=True, default="")
    country = models.CharField(max_length=100, blank=True, default="")
    preferred_language = models.CharField(max_length=10, default="en")
    timezone = models.CharField(max_length=50, default="UTC")
    email_notifications = models.BooleanField(default=True)
    is_verified = models.BooleanField(default=False)
    verification_date = models.DateTimeField(null=True, blank=True)
    last_activity = models.DateTimeField(null=True, blank=True)
    monthly_job_limit = models.IntegerField(default=10)
    monthly_jobs_used = models.IntegerField(default=0)
    storage_limit_gb = models.DecimalField(max_digits=10, decimal_places=2, default=1)
    storage_used_gb = models.DecimalField(max_digits=10, decimal_places=2, default=0)
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    role = models.ForeignKey(
        UserRole, null=True, blank=True, on_delete=models.SET_NULL, related_name="profiles"
    )
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="profile"
    )

    def __str__(self) -> str:
        return f"Profile of user {self.user_id}"


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
    """That a user is in a group."""

    joined_at = models.DateTimeField(default=now, editable=False)
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


class AuditLog(models.Model):
    """Who did what to what, and from where; appended and never changed.

    `action` is free text of up to 20 characters: the legacy system wrote more words than it listed.
    """

    action = models.CharField(max_length=20)
    resource_type = models.CharField(max_length=50, blank=True, default="")
    resource_id = models.CharField(max_length=100, blank=True, default="")
    details = models.JSONField(blank=True, default=dict)
    ip_address = models.GenericIPAddressField(null=True, blank=True)
    user_agent = models.TextField(blank=True, default="")
    timestamp = models.DateTimeField(default=now)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="audit_logs",
    )

    class Meta:
        indexes = [
            models.Index(
                fields=["user", "action", "timestamp"], name="imputation__user_id_ee1103_idx"
            ),
            models.Index(fields=["action", "timestamp"], name="imputation__action_a8883e_idx"),
            models.Index(
                fields=["resource_type", "resource_id"], name="imputation__resourc_efd7a1_idx"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} by user {self.user_id} at {self.timestamp}"


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


class ServiceCredential(models.Model):
    """A secret that opens an external service, encrypted; the only place where secrets are kept.

    Whose it is follows from the row: with a job it is that job's, else with a user that user's
    for the service, else the service's own. `job_id` is a plain id, since jobs may move to a
    database of their own; the owner of the job deletes its secrets with it.
    """

    class Kind(models.TextChoices):
        API_TOKEN = "api_token", "API token"  # of a user or of the service
        API_SECRET = "api_secret", "API secret"
        JOB_TOKEN = "job_token", "API token of one job"
        RESULT_PASSWORD = "result_password", "Password of one job's result files"

    OF_A_JOB = (Kind.JOB_TOKEN, Kind.RESULT_PASSWORD)

    service = models.ForeignKey(
        "imputation.ImputationService", on_delete=models.CASCADE, related_name="credentials"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="service_credentials",
    )
    job_id = models.UUIDField(null=True, blank=True, db_index=True)
    kind = models.CharField(max_length=20, choices=Kind)
    label = models.CharField(max_length=100, blank=True, default="")
    encrypted = models.TextField(editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    kind__in=["api_token", "api_secret"],
                    job_id__isnull=True,
                )
                | Q(
                    kind__in=["job_token", "result_password"],
                    job_id__isnull=False,
                    user__isnull=False,
                ),
                name="servicecredential_kind_fits_owner",
            ),
            models.CheckConstraint(
                condition=~Q(encrypted=""), name="servicecredential_is_not_empty"
            ),
            models.UniqueConstraint(
                fields=["service", "user", "kind"],
                condition=Q(job_id__isnull=True),
                nulls_distinct=False,
                name="servicecredential_one_per_owner",
            ),
            models.UniqueConstraint(
                fields=["job_id", "kind"],
                condition=Q(job_id__isnull=False),
                name="servicecredential_one_per_job",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} for service {self.service_id} ({self.pk})"
