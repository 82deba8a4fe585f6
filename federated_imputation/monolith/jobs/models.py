"""Imputation jobs and what was said about them; tables as in the legacy system.

The legacy column `user_token` holds plaintext of earlier days. Nothing writes it any more: a
job's token lives encrypted in `imputation_servicecredential`.
"""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

__all__ = ["ImputationJob", "JobStatusUpdate"]


class ImputationJob(models.Model):
    """One study sent to one service for one reference panel."""

    class Status(models.TextChoices):
        PENDING = "pending", "Pending"
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        COMPLETED = "completed", "Completed"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, default="")
    input_format = models.CharField(max_length=20, default="vcf")
    build = models.CharField(max_length=20, default="hg38")
    phasing = models.BooleanField(default=True)
    population = models.CharField(max_length=100, blank=True, default="")
    status = models.CharField(max_length=20, choices=Status, default=Status.PENDING)
    progress_percentage = models.IntegerField(default=0)
    external_job_id = models.CharField(max_length=200, blank=True, default="")
    input_file = models.FileField(upload_to="uploads/input/", null=True, blank=True)
    input_file_size = models.BigIntegerField(null=True, blank=True)
    result_files = models.JSONField(blank=True, default=list)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    execution_time_seconds = models.IntegerField(null=True, blank=True)
    error_message = models.TextField(blank=True, default="")
    service_response = models.JSONField(blank=True, default=dict)
    reference_panel = models.ForeignKey(
        "imputation.ReferencePanel", on_delete=models.CASCADE, related_name="jobs"
    )
    service = models.ForeignKey(
        "imputation.ImputationService", on_delete=models.CASCADE, related_name="jobs"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="imputation_jobs"
    )
    user_token = models.CharField(max_length=500, blank=True, default="", editable=False)

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"


class JobStatusUpdate(models.Model):
    """One thing that happened to a job, appended and never changed."""

    status = models.CharField(max_length=20)
    progress_percentage = models.IntegerField(default=0)
    message = models.TextField(blank=True, default="")
    timestamp = models.DateTimeField(default=timezone.now)
    external_data = models.JSONField(blank=True, default=dict)
    job = models.ForeignKey(ImputationJob, on_delete=models.CASCADE, related_name="status_updates")

    def __str__(self) -> str:
        return f"{self.job_id}: {self.status} at {self.timestamp}"
