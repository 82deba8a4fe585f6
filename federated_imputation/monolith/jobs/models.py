"""Imputation jobs and what was said about them; tables as in the legacy system.

The legacy column `user_token` holds plaintext of earlier days. Nothing writes it any more: a
job's token lives encrypted in `imputation_servicecredential`.
"""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from apps.shared.leases import Leased

__all__ = ["ChildJob", "ImputationJob", "JobStatusUpdate", "JobWork", "ParentJob"]


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


class JobWork(Leased):
    """Where the work on a job stands: what `jobs.worker` needs to go on after any crash.

    The row is due at `next_poll_at`. `lost_steps` counts the steps in a row that
    began and were never written down. `holds_place` and `place_wanted_at` are those of
    `jobs.places`, and `token_warned_for` is the end of the token of which the owner was warned.
    The other columns are those of `jobs.decisions.Work`.
    """

    class Phase(models.TextChoices):
        SUBMIT = "submit", "To be submitted"
        SUBMITTING = "submitting", "Being submitted"
        FOLLOW = "follow", "At the service"
        FETCH = "fetch", "Fetching files"
        DONE = "done", "Done"

    job = models.OneToOneField(
        ImputationJob,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="work",
        db_constraint=False,
    )
    phase = models.CharField(max_length=20, choices=Phase, default=Phase.SUBMIT)
    attempt = models.PositiveIntegerField(default=1)
    next_poll_at = models.DateTimeField(null=True, blank=True)
    failure = models.TextField(blank=True, default="")
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True, default="")
    uncertain_since = models.DateTimeField(null=True, blank=True)
    searches = models.PositiveIntegerField(default=0)
    restarts = models.PositiveIntegerField(default=0)
    quiet_polls = models.PositiveIntegerField(default=0)
    cuts = models.PositiveIntegerField(default=0)
    skipped = models.JSONField(blank=True, default=list)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    cancel_asked_at = models.DateTimeField(null=True, blank=True)
    lost_steps = models.PositiveIntegerField(default=0, db_default=0)
    holds_place = models.BooleanField(default=False, db_default=False)
    place_wanted_at = models.DateTimeField(null=True, blank=True)
    token_warned_for = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["next_poll_at"],
                condition=Q(next_poll_at__isnull=False),
                name="jobwork_due",
            ),
            models.Index(
                fields=["place_wanted_at"],
                condition=Q(holds_place=True) | Q(place_wanted_at__isnull=False),
                name="jobwork_transfers",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(phase="done", next_poll_at__isnull=True)
                | (~Q(phase="done") & Q(next_poll_at__isnull=False)),
                name="jobwork_is_due_until_done",
            ),
            models.CheckConstraint(condition=Q(attempt__gte=1), name="jobwork_attempts_from_1"),
            models.CheckConstraint(condition=Q(restarts__lte=2), name="jobwork_restarts_twice"),
        ]

    def __str__(self) -> str:
        return f"Work on job {self.job_id}: {self.phase}"


class ParentJob(models.Model):
    """One study sent to several services: what its jobs have in common.

    It has no state of its own: `jobs.parents.standing` makes one of those of its children. The
    database deletes it with its last child, whoever deletes that.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        db_constraint=False,
        related_name="parent_jobs",
    )
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, db_default="", default="")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [models.Index(fields=["user", "-created_at", "id"], name="parentjob_of_user")]

    def __str__(self) -> str:
        return f"{self.name} ({self.pk})"


class ChildJob(models.Model):
    """That a job is one of its parent's, and in which place; a job has one parent at most."""

    job = models.OneToOneField(
        ImputationJob,
        on_delete=models.CASCADE,
        primary_key=True,
        db_constraint=False,
        related_name="as_child",
    )
    parent = models.ForeignKey(
        ParentJob,
        on_delete=models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="children",
    )
    position = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["parent", "position"], name="childjob_one_in_a_place")
        ]

    def __str__(self) -> str:
        return f"Job {self.job_id}, child {self.position} of {self.parent_id}"
