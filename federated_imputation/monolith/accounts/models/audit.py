"""The audit log of the legacy system, and the seals that chain its rows.

The database itself seals: when a transaction commits, each row that it appended gets a seal with
the next position, whose digest covers the row and the seal before. Triggers refuse any other
change; migration 0013 holds them, `queries.audit` checks the chain.
"""

from django.conf import settings
from django.db import models
from django.utils.timezone import now

__all__ = ["AuditLog", "AuditSeal"]


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


class AuditSeal(models.Model):
    """One link of the chain; written by the database alone.

    `audit_id` is a plain id, so that a row's loss leaves its seal. `actor_id` is the row's user
    when it was written: the row forgets them when the account is deleted. `previous` is the digest
    of the seal before; the first seal has there the highest id of the rows that are older than the
    chain, as 64 decimal digits.
    """

    position = models.BigIntegerField(primary_key=True)
    audit_id = models.BigIntegerField(unique=True)
    actor_id = models.IntegerField(null=True)
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"{self.position}:{self.digest}"
