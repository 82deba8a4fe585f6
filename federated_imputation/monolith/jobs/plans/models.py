"""Jobs that are planned: templates, batches and schedules.

The legacy system described the first three tables in code and never made them; names and columns
are those. Rows that belong to an account, a service, a panel, a job or to one another go, or let
go, by the hand of the database (their migration makes the keys, hence `db_constraint=False`),
so that a process that knows none of these tables can still delete what they name.

The story of a schedule. It is **active** and has a `next_execution`, or it is neither and
`inactive_because` says why. When its time comes, one transaction makes the job, appends an
execution and moves `next_execution` on, so that no crash makes two jobs of one time, or none. Times
that passed while nothing ran are made up for by one execution, which counts them. An execution
that the platform refuses is appended as well, with the sentence that the user would have been told;
after `MOST_REFUSALS` in a row the schedule is switched off. It is over, too, when it was to run
once, or ran as often as it should. Its owner pauses and resumes it.
"""

import uuid
from typing import Final

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from apps.shared.leases import Leased
from federated_imputation.monolith.jobs.models import ImputationJob

__all__ = [
    "LONGEST_NAME",
    "MOST_REFUSALS",
    "BatchJob",
    "JobBatch",
    "JobTemplate",
    "ScheduledExecution",
    "ScheduledJob",
]

LONGEST_NAME: Final = 200
MOST_REFUSALS: Final = 5


class JobTemplate(models.Model):
    """What a job is sent with, but for its genotypes; of its owner, or open to everybody."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=LONGEST_NAME)
    description = models.TextField(blank=True, default="", db_default="")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="job_templates",
    )
    service = models.ForeignKey(
        "imputation.ImputationService",
        on_delete=models.CASCADE,
        db_constraint=False,
        related_name="job_templates",
    )
    reference_panel = models.ForeignKey(
        "imputation.ReferencePanel",
        on_delete=models.CASCADE,
        db_constraint=False,
        related_name="job_templates",
    )
    input_format = models.CharField(max_length=20, default="vcf", db_default="vcf")
    build = models.CharField(max_length=20, default="hg38", db_default="hg38")
    phasing = models.BooleanField(default=False, db_default=False)
    population = models.CharField(max_length=100, blank=True, default="", db_default="")
    is_public = models.BooleanField(default=False, db_default=False)
    usage_count = models.PositiveIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["user", "-created_at", "id"], name="jobtemplate_of_user"),
            models.Index(
                fields=["-created_at", "id"],
                condition=Q(is_public=True),
                name="jobtemplate_public",
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="jobtemplate_has_a_name"),
            models.CheckConstraint(condition=~Q(build=""), name="jobtemplate_has_a_build"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"


class JobBatch(models.Model):
    """Several genotype files that are sent with the same settings, a job for each.

    Status, counts and times are kept by the database, whoever changes or deletes one of the jobs;
    what they say is `decisions.batch_status`.
    """

    class Status(models.TextChoices):
        PENDING = "pending", "Pending"
        RUNNING = "running", "Running"
        COMPLETED = "completed", "Completed"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=LONGEST_NAME)
    description = models.TextField(blank=True, default="", db_default="")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="job_batches",
    )
    template = models.ForeignKey(
        JobTemplate,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        db_constraint=False,
        related_name="batches",
    )
    status = models.CharField(
        max_length=20, choices=Status, default=Status.PENDING, db_default="pending"
    )
    total_jobs = models.PositiveIntegerField(default=0, db_default=0)
    completed_jobs = models.PositiveIntegerField(default=0, db_default=0)
    failed_jobs = models.PositiveIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["user", "-created_at", "id"], name="jobbatch_of_user")]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="jobbatch_has_a_name"),
            models.CheckConstraint(
                condition=Q(status__in=["pending", "running", "completed", "failed", "cancelled"]),
                name="jobbatch_status",
            ),
            models.CheckConstraint(
                condition=Q(total_jobs__gte=F("completed_jobs") + F("failed_jobs")),
                name="jobbatch_counts_add_up",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"


class BatchJob(models.Model):
    """That a job is part of a batch, and its place there, from 1."""

    job = models.OneToOneField(
        ImputationJob,
        on_delete=models.CASCADE,
        db_constraint=False,
        primary_key=True,
        related_name="batch_link",
    )
    batch = models.ForeignKey(
        JobBatch,
        on_delete=models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="links",
    )
    position = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "position"], name="batchjob_one_a_place"),
            models.CheckConstraint(condition=Q(position__gte=1), name="batchjob_places_from_1"),
        ]

    def __str__(self) -> str:
        return f"Job {self.job_id} of batch {self.batch_id}"


class ScheduledJob(Leased):
    """A template that is sent with a stored file at its times; the module tells its story.

    `scheduled_time` is the first of them; the others keep its time of day in `time_zone`.
    `recurrence_interval` is in days, weeks or months, as `schedule_type` says. Leases are only used
    to announce: an execution is one transaction and holds the row itself.
    """

    class ScheduleType(models.TextChoices):
        ONCE = "once", "Once"
        DAILY = "daily", "Daily"
        WEEKLY = "weekly", "Weekly"
        MONTHLY = "monthly", "Monthly"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=LONGEST_NAME)
    description = models.TextField(blank=True, default="", db_default="")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="scheduled_jobs",
    )
    template = models.ForeignKey(
        JobTemplate,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        db_constraint=False,
        related_name="scheduled_jobs",
    )
    genotype_file = models.ForeignKey(
        "imputation.GenotypeFile",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        db_constraint=False,
        related_name="scheduled_jobs",
    )
    schedule_type = models.CharField(max_length=20, choices=ScheduleType)
    scheduled_time = models.DateTimeField()
    time_zone = models.CharField(max_length=50, default="UTC", db_default="UTC")
    recurrence_interval = models.PositiveIntegerField(default=1, db_default=1)
    max_executions = models.PositiveIntegerField(null=True, blank=True)
    is_active = models.BooleanField(default=False, db_default=False)
    inactive_because = models.TextField(blank=True, default="", db_default="")
    execution_count = models.PositiveIntegerField(default=0, db_default=0)
    refusals_in_a_row = models.PositiveIntegerField(default=0, db_default=0)
    last_execution = models.DateTimeField(null=True, blank=True)
    next_execution = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)
    # As in `Leased`, and for a process that does not know of it.
    fence = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        indexes = [
            models.Index(fields=["user", "-created_at", "id"], name="scheduledjob_of_user"),
            models.Index(
                fields=["next_execution", "id"],
                condition=Q(next_execution__isnull=False),
                name="scheduledjob_due",
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="scheduledjob_has_a_name"),
            models.CheckConstraint(
                condition=Q(schedule_type__in=["once", "daily", "weekly", "monthly"]),
                name="scheduledjob_type",
            ),
            models.CheckConstraint(
                condition=Q(recurrence_interval__gte=1), name="scheduledjob_interval_from_1"
            ),
            models.CheckConstraint(
                condition=Q(max_executions__isnull=True) | Q(max_executions__gte=1),
                name="scheduledjob_executions_from_1",
            ),
            models.CheckConstraint(
                condition=Q(is_active=True, next_execution__isnull=False, inactive_because="")
                | Q(is_active=False, next_execution__isnull=True),
                name="scheduledjob_active_until_over",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"


class ScheduledExecution(models.Model):
    """What came of one time of a schedule; appended and never changed, but for a job that goes."""

    class Outcome(models.TextChoices):
        SUBMITTED = "submitted", "A job was made"
        REFUSED = "refused", "The job was refused"

    schedule = models.ForeignKey(
        ScheduledJob,
        on_delete=models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="executions",
    )
    due_at = models.DateTimeField()
    executed_at = models.DateTimeField()
    outcome = models.CharField(max_length=10, choices=Outcome)
    job = models.ForeignKey(
        ImputationJob,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        db_constraint=False,
        related_name="scheduled_executions",
    )
    message = models.TextField(blank=True, default="", db_default="")
    missed = models.PositiveIntegerField(default=0, db_default=0)
    is_by_hand = models.BooleanField(default=False, db_default=False)

    class Meta:
        indexes = [
            models.Index(fields=["schedule", "-executed_at", "-id"], name="scheduledexecution_of")
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["schedule", "due_at"],
                condition=Q(is_by_hand=False),
                name="scheduledexecution_once_a_time",
            ),
            models.CheckConstraint(
                condition=Q(outcome="submitted")
                | (Q(outcome="refused", job__isnull=True) & ~Q(message="")),
                name="scheduledexecution_outcome",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.schedule_id} at {self.due_at}: {self.outcome}"
