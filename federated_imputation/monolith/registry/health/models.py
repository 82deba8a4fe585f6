"""What is known of the health of services, and what was known."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from apps.federation.probing import Status
from federated_imputation.monolith.registry.models import ImputationService

__all__ = ["ServiceCheck", "ServiceHealth"]

_STATUSES = [(status.value, status.value) for status in Status]


class ServiceHealth(models.Model):
    """The last check of a service, and when the next is due.

    `claimed_until` is set while somebody checks it. A service of which there is no row, or one
    without `checked_at`, was never checked.
    """

    service = models.OneToOneField(
        ImputationService,
        on_delete=models.CASCADE,
        primary_key=True,
        db_constraint=False,  # the migration makes one that acts by itself
        related_name="health",
    )
    subject = models.TextField(blank=True, default="", db_default="")
    status = models.CharField(
        max_length=20, choices=_STATUSES, blank=True, default="", db_default=""
    )
    message = models.TextField(blank=True, default="", db_default="")
    test_url = models.TextField(blank=True, default="", db_default="")
    response_time_ms = models.FloatField(null=True, blank=True)
    error = models.TextField(blank=True, default="", db_default="")
    checked_at = models.DateTimeField(null=True, blank=True)
    since = models.DateTimeField(null=True, blank=True)
    next_check_at = models.DateTimeField(default=timezone.now)
    claimed_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status="", checked_at__isnull=True, since__isnull=True)
                | (~Q(status="") & Q(checked_at__isnull=False, since__isnull=False)),
                name="servicehealth_checked_or_not",
            ),
        ]

    def __str__(self) -> str:
        return f"Health of service {self.service_id}"


class ServiceCheck(models.Model):
    """One check of the past; the sweep keeps their number bounded."""

    service = models.ForeignKey(
        ImputationService,
        on_delete=models.CASCADE,
        db_constraint=False,  # as above
        db_index=False,
        related_name="checks",
    )
    status = models.CharField(max_length=20, choices=_STATUSES)
    response_time_ms = models.FloatField(null=True, blank=True)
    checked_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["service", "-checked_at"], name="servicecheck_of_service"),
            models.Index(fields=["checked_at"], name="servicecheck_when"),
        ]

    def __str__(self) -> str:
        return f"{self.status} at {self.checked_at:%Y-%m-%d %H:%M:%S}"
