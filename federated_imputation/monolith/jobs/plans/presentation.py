"""What is shown of templates, batches and schedules, and the fields that several bodies share."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.shared.api.bodies import Body
from federated_imputation.monolith.jobs.plans.models import (
    JobBatch,
    JobTemplate,
    ScheduledExecution,
    ScheduledJob,
)
from federated_imputation.monolith.jobs.states import Status

__all__ = [
    "BatchDetailOutput",
    "BatchOutput",
    "ExecutionOutput",
    "ScheduleOutput",
    "SettingsFields",
    "TemplateOutput",
    "user_token",
]


def user_token(*, about: str) -> serializers.CharField:
    """The field of a body that takes the caller's token at a service."""
    return serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=8192,
        write_only=True,
        help_text=f"{about}; kept encrypted, never answered.",
    )


class SettingsFields(Body):
    """Settings of a job that may be left out."""

    input_format = serializers.CharField(max_length=20, required=False)
    build = serializers.CharField(
        max_length=20,
        required=False,
        help_text="hg19 or hg38, of the file; GRCh37 and GRCh38 mean the same.",
    )
    phasing = serializers.BooleanField(required=False, help_text="Whether the service shall phase.")
    population = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=100,
        help_text="One of the panel's populations; empty leaves it to the panel.",
    )


class TemplateOutput(serializers.Serializer[JobTemplate]):
    class TemplateUser(serializers.Serializer[Any]):
        id = serializers.IntegerField()
        username = serializers.CharField()

    class TemplateService(serializers.Serializer[Any]):
        id = serializers.IntegerField()
        name = serializers.CharField()
        is_active = serializers.BooleanField()

    class TemplatePanel(serializers.Serializer[Any]):
        id = serializers.IntegerField()
        name = serializers.CharField()
        panel_id = serializers.CharField()
        is_active = serializers.BooleanField()

    id = serializers.UUIDField()
    name = serializers.CharField()
    description = serializers.CharField()
    user = TemplateUser()
    service = TemplateService()
    reference_panel = TemplatePanel()
    input_format = serializers.CharField()
    build = serializers.CharField()
    phasing = serializers.BooleanField()
    population = serializers.CharField()
    is_public = serializers.BooleanField()
    usage_count = serializers.IntegerField(help_text="Jobs that were made from it, by anybody.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class BatchOutput(serializers.Serializer[JobBatch]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    description = serializers.CharField()
    template = serializers.UUIDField(source="template_id", allow_null=True)
    status = serializers.ChoiceField(choices=JobBatch.Status.choices)
    total_jobs = serializers.IntegerField()
    completed_jobs = serializers.IntegerField()
    failed_jobs = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)


class BatchDetailOutput(BatchOutput):
    class BatchJobCounts(serializers.Serializer[Any]):
        pending = serializers.IntegerField()
        queued = serializers.IntegerField()
        running = serializers.IntegerField()
        completed = serializers.IntegerField()
        failed = serializers.IntegerField()
        cancelled = serializers.IntegerField()

    jobs_by_status = serializers.SerializerMethodField()

    @extend_schema_field(BatchJobCounts)
    def get_jobs_by_status(self, batch: JobBatch) -> dict[str, int]:
        counts = self.context["counts"]
        return {status.value: counts[status] for status in Status}


class ScheduleOutput(serializers.Serializer[ScheduledJob]):
    class ScheduledTemplate(serializers.Serializer[Any]):
        id = serializers.UUIDField()
        name = serializers.CharField()

    class ScheduledFile(serializers.Serializer[Any]):
        id = serializers.UUIDField()
        name = serializers.CharField()

    id = serializers.UUIDField()
    name = serializers.CharField()
    description = serializers.CharField()
    template = ScheduledTemplate(allow_null=True, help_text="Null when it was deleted.")
    genotype_file = ScheduledFile(allow_null=True, help_text="Null when it was deleted.")
    schedule_type = serializers.ChoiceField(choices=ScheduledJob.ScheduleType.choices)
    scheduled_time = serializers.DateTimeField()
    time_zone = serializers.CharField()
    recurrence_interval = serializers.IntegerField()
    max_executions = serializers.IntegerField(allow_null=True)
    is_active = serializers.BooleanField()
    inactive_because = serializers.CharField()
    execution_count = serializers.IntegerField(help_text="Jobs that it made.")
    refusals_in_a_row = serializers.IntegerField()
    last_execution = serializers.DateTimeField(allow_null=True)
    next_execution = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class ExecutionOutput(serializers.Serializer[ScheduledExecution]):
    id = serializers.IntegerField()
    due_at = serializers.DateTimeField()
    executed_at = serializers.DateTimeField()
    outcome = serializers.ChoiceField(choices=ScheduledExecution.Outcome.choices)
    job = serializers.UUIDField(
        source="job_id", allow_null=True, help_text="Null when none was made, or it was deleted."
    )
    message = serializers.CharField(help_text="Why the job was refused, or what else to know.")
    missed = serializers.IntegerField(help_text="Later times that this one stands for, too.")
    is_by_hand = serializers.BooleanField()
