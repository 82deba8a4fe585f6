"""What is shown of a job: the legacy fields, and a few more."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from rest_framework import serializers

from federated_imputation.monolith.files.presentation import ResultFileOutput
from federated_imputation.monolith.files.queries import upload_name
from federated_imputation.monolith.jobs.models import ImputationJob, JobStatusUpdate
from federated_imputation.monolith.registry.queries import ApiType, ServiceType

__all__ = [
    "JobDetailOutput",
    "JobOutput",
    "StatusUpdateOutput",
    "duration_display",
    "size_display",
]


class StatusUpdateOutput(serializers.Serializer[JobStatusUpdate]):
    id = serializers.IntegerField()
    job = serializers.UUIDField(source="job_id")
    status = serializers.ChoiceField(choices=ImputationJob.Status.choices)
    progress_percentage = serializers.IntegerField()
    message = serializers.CharField()
    timestamp = serializers.DateTimeField()
    external_data = serializers.JSONField()


class JobOutput(serializers.Serializer[ImputationJob]):
    class JobUser(serializers.Serializer[Any]):
        id = serializers.IntegerField()
        username = serializers.CharField()
        email = serializers.CharField()
        first_name = serializers.CharField()
        last_name = serializers.CharField()

    class JobService(serializers.Serializer[Any]):
        id = serializers.IntegerField()
        name = serializers.CharField()
        service_type = serializers.ChoiceField(choices=ServiceType.choices)
        api_type = serializers.ChoiceField(choices=ApiType.choices)
        location = serializers.CharField()
        continent = serializers.CharField()
        is_active = serializers.BooleanField()

    class JobPanel(serializers.Serializer[Any]):
        id = serializers.IntegerField()
        name = serializers.CharField()
        panel_id = serializers.CharField()
        population = serializers.CharField()
        build = serializers.CharField()
        is_active = serializers.BooleanField()

    id = serializers.UUIDField()
    name = serializers.CharField()
    description = serializers.CharField()
    user = JobUser()
    service = JobService()
    reference_panel = JobPanel()
    input_format = serializers.CharField()
    build = serializers.CharField()
    phasing = serializers.BooleanField()
    population = serializers.CharField()
    status = serializers.ChoiceField(choices=ImputationJob.Status.choices)
    progress_percentage = serializers.IntegerField()
    external_job_id = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)
    duration_display = serializers.SerializerMethodField(
        help_text="From the start at the service to the end; null before the end."
    )

    def get_duration_display(self, job: ImputationJob) -> str | None:
        if job.started_at is None or job.completed_at is None:
            return None
        return duration_display(job.completed_at - job.started_at)


class JobDetailOutput(JobOutput):
    input_file = serializers.SerializerMethodField(help_text="Name of the uploaded file.")
    input_file_size = serializers.IntegerField(allow_null=True)
    input_file_size_display = serializers.SerializerMethodField()
    result_files = serializers.JSONField()
    execution_time_seconds = serializers.IntegerField(allow_null=True)
    error_message = serializers.CharField()
    service_response = serializers.JSONField(
        help_text="The service's last answer: state, queue position, steps, messages, files."
    )
    parent = serializers.SerializerMethodField(  # type: ignore[assignment]
        help_text="The submission to several services that this job is part of; null for none."
    )
    attempt = serializers.SerializerMethodField()
    cancel_requested = serializers.SerializerMethodField()
    status_updates = StatusUpdateOutput(many=True)
    files = ResultFileOutput(many=True)

    def get_input_file(self, job: ImputationJob) -> str | None:
        return upload_name(str(job.input_file)) if job.input_file else None

    def get_input_file_size_display(self, job: ImputationJob) -> str | None:
        return None if job.input_file_size is None else size_display(job.input_file_size)

    def get_parent(self, job: ImputationJob) -> UUID | None:
        return job.as_child.parent_id if hasattr(job, "as_child") else None

    def get_attempt(self, job: ImputationJob) -> int:
        return job.work.attempt if hasattr(job, "work") else 1

    def get_cancel_requested(self, job: ImputationJob) -> bool:
        return hasattr(job, "work") and job.work.cancel_requested_at is not None


def duration_display(duration: timedelta) -> str:
    """`1h 2m 3s`, without leading parts that are 0."""
    seconds = max(0, round(duration.total_seconds()))
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    if hours:
        return f"{hours}h {minutes}m {seconds}s"
    return f"{minutes}m {seconds}s" if minutes else f"{seconds}s"


def size_display(size: int) -> str:
    """`1.4 MB`, in powers of 1,024."""
    if size < 1024:
        return f"{size} bytes"
    value = float(size)
    for unit in ("KB", "MB", "GB"):
        value /= 1024
        if value < 1024:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} TB"
