"""The secrets of services and users."""

from django.conf import settings
from django.db import models
from django.db.models import Q

__all__ = ["ServiceCredential"]


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
        "imputation.ImputationService",
        on_delete=models.CASCADE,
        related_name="credentials",
        db_constraint=False,
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="service_credentials",
        db_constraint=False,
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
