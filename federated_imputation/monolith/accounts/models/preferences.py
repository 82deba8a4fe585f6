"""What a user wants to be told, and how."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

__all__ = ["NotificationPreference"]

_TIME_OF_DAY = "^([01][0-9]|2[0-3]):[0-5][0-9]$"


class NotificationPreference(models.Model):
    """The switches of one user; whoever has no row has the defaults.

    `email_enabled` and the profile's `email_notifications` are one switch until profiles lose
    theirs: the database's own triggers (migration 0017) copy a change of either to the other, so
    that a process that knows one of them only may write it. The user is a plain id, since
    notifications move to a database of their own; the account's end takes the row with it.
    """

    class Digest(models.TextChoices):
        IMMEDIATE = "immediate", "At once"
        HOURLY = "hourly", "Each hour"
        DAILY = "daily", "Each day"
        WEEKLY = "weekly", "Each week"

    user_id = models.IntegerField(unique=True)
    email_enabled = models.BooleanField(default=True, db_default=True)
    web_enabled = models.BooleanField(default=True, db_default=True)
    sms_enabled = models.BooleanField(default=False, db_default=False)
    job_status_updates = models.BooleanField(default=True, db_default=True)
    system_alerts = models.BooleanField(default=True, db_default=True)
    security_alerts = models.BooleanField(default=True, db_default=True)
    maintenance_notices = models.BooleanField(default=True, db_default=True)
    digest_frequency = models.CharField(
        max_length=20, choices=Digest, default=Digest.IMMEDIATE, db_default="immediate"
    )
    quiet_hours_start = models.CharField(max_length=5, blank=True, default="", db_default="")
    quiet_hours_end = models.CharField(max_length=5, blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(digest_frequency__in=["immediate", "hourly", "daily", "weekly"]),
                name="notificationpreference_digest",
            ),
            models.CheckConstraint(
                condition=Q(quiet_hours_start="", quiet_hours_end="")
                | Q(quiet_hours_start__regex=_TIME_OF_DAY, quiet_hours_end__regex=_TIME_OF_DAY),
                name="notificationpreference_quiet_hours",
            ),
        ]

    def __str__(self) -> str:
        return f"Notification preferences of user {self.user_id}"
