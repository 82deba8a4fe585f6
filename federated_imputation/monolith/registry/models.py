"""Imputation services and the reference panels they offer; tables as in the legacy system.

Reference: the legacy columns `api_key` and `api_secret` hold plaintext of earlier days. Nothing
writes them any more: secrets live encrypted in `imputation_servicecredential`.
"""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from apps.shared.leases import Leased

__all__ = [
    "ImputationService",
    "ReferencePanel",
    "ServiceConfiguration",
    "ServiceStanding",
    "ServiceSync",
]


class ImputationService(models.Model):
    """An external service that imputes genotypes; `api_type` says which API it speaks."""

    class ServiceType(models.TextChoices):
        H3AFRICA = "h3africa", "H3Africa"
        MICHIGAN = "michigan", "Michigan Imputation Server"
        DNASTACK = "dnastack", "DNAstack"

    class ApiType(models.TextChoices):
        MICHIGAN = "michigan", "Michigan API"
        GA4GH = "ga4gh", "GA4GH WES API"
        DNASTACK = "dnastack", "DNAstack API"

    name = models.CharField(max_length=100, unique=True)
    service_type = models.CharField(max_length=20, choices=ServiceType)
    api_url = models.URLField()
    description = models.TextField(blank=True, default="")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    api_key_required = models.BooleanField(default=True)
    max_file_size_mb = models.IntegerField(default=100)
    supported_formats = models.JSONField(blank=True, default=list)
    api_config = models.JSONField(blank=True, default=dict)
    api_key = models.CharField(max_length=255, blank=True, default="", editable=False)
    api_type = models.CharField(max_length=20, choices=ApiType, default=ApiType.MICHIGAN)
    location = models.CharField(max_length=200, blank=True, default="")
    continent = models.CharField(max_length=50, blank=True, default="")

    def __str__(self) -> str:
        return self.name


class ReferencePanel(models.Model):
    """A reference panel of one service; `panel_id` is the service's own key, never made up.

    `populations` holds the population ids that a submission may name for it, in the service's
    order; NULL means that the service was never asked. `withdrawn_at` is set while the row is
    inactive because the service offers the panel no more; one that is inactive without it was
    switched off by a person (`operations.panels`).
    """

    name = models.CharField(max_length=200)
    panel_id = models.CharField(max_length=100)
    description = models.TextField(blank=True, default="")
    population = models.CharField(max_length=100, blank=True, default="")
    build = models.CharField(max_length=20, blank=True, default="")
    samples_count = models.IntegerField(null=True, blank=True)
    variants_count = models.IntegerField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    service = models.ForeignKey(
        ImputationService, on_delete=models.CASCADE, related_name="reference_panels"
    )
    populations = models.JSONField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True, editable=False)
    withdrawn_because = models.TextField(  # noqa: DJ001 -- legacy processes write no default
        null=True, blank=True, editable=False
    )

    class Meta:
        unique_together = [("service", "panel_id")]

    def __str__(self) -> str:
        return f"{self.name} ({self.panel_id})"


class ServiceConfiguration(models.Model):
    """Limits of one service; its two secret columns are no longer written."""

    api_key = models.CharField(max_length=500, blank=True, default="", editable=False)
    api_secret = models.CharField(max_length=500, blank=True, default="", editable=False)
    additional_headers = models.JSONField(blank=True, default=dict)
    rate_limit_per_hour = models.IntegerField(default=100)
    timeout_seconds = models.IntegerField(default=300)
    retry_attempts = models.IntegerField(default=3)
    settings = models.JSONField(blank=True, default=dict)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    service = models.OneToOneField(
        ImputationService, on_delete=models.CASCADE, related_name="configuration"
    )

    def __str__(self) -> str:
        return f"Configuration of service {self.service_id}"


class ServiceStanding(models.Model):
    """Whether a service answers; its columns are those of `registry.breaker.Standing`.

    A service of which there is no row was never found silent.
    """

    service = models.OneToOneField(
        ImputationService,
        on_delete=models.CASCADE,
        primary_key=True,
        db_constraint=False,  # the migration makes one that acts by itself
        related_name="standing",
    )
    failures = models.PositiveIntegerField(default=0, db_default=0)
    failing_since = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True, default="", db_default="")
    next_try_at = models.DateTimeField(null=True, blank=True)
    probe_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(failures=0, failing_since__isnull=True)
                | Q(failures__gt=0, failing_since__isnull=False),
                name="servicestanding_since_first_failure",
            ),
            models.CheckConstraint(
                condition=Q(next_try_at__isnull=True, probe_until__isnull=True)
                | Q(next_try_at__isnull=False, failures__gt=0),
                name="servicestanding_open_by_failures",
            ),
        ]

    def __str__(self) -> str:
        return f"Standing of service {self.service_id}"


class ServiceSync(Leased):
    """When the panels of a service were and will be synchronised; see `operations.synchronisation`.

    `added`, `changed` and `withdrawn` count what the last one did, `message` says why it failed.
    """

    class Outcome(models.TextChoices):
        NONE = "", "None yet"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    service = models.OneToOneField(
        ImputationService,
        on_delete=models.CASCADE,
        primary_key=True,
        db_constraint=False,  # the migration makes one that acts by itself
        related_name="sync",
    )
    task_id = models.UUIDField(default=uuid.uuid4)
    wanted_at = models.DateTimeField(null=True, blank=True)
    next_sync_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=10, blank=True, choices=Outcome, db_default="")
    added = models.PositiveIntegerField(db_default=0)
    changed = models.PositiveIntegerField(db_default=0)
    withdrawn = models.PositiveIntegerField(db_default=0)
    message = models.TextField(blank=True, db_default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome="", finished_at__isnull=True)
                | Q(outcome__in=["done", "failed"], finished_at__isnull=False),
                name="servicesync_outcome_when_finished",
            ),
            models.CheckConstraint(
                condition=~Q(outcome="failed") | ~Q(message=""),
                name="servicesync_failed_says_why",
            ),
        ]

    def __str__(self) -> str:
        return f"Synchronisation of service {self.service_id}"
