"""Roles and profiles. Users are Django's own `auth_user`."""

from django.conf import settings
from django.contrib.auth.models import Permission
from django.db import models
from django.utils.timezone import now

__all__ = ["UserProfile", "UserRole"]


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
    """What the platform knows about a user beyond the login; a user may have none.

    `monthly_jobs_used` counts the month that begins on `jobs_counted_in`; see `accounts.quotas`.
    """

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
    jobs_counted_in = models.DateField(null=True, blank=True, editable=False)
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
