"""What is shown of a parent and its children."""

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from federated_imputation.monolith.jobs.models import ChildJob, ImputationJob, ParentJob
from federated_imputation.monolith.jobs.parents.standing import Standing, standing
from federated_imputation.monolith.jobs.states import FINAL

__all__ = ["ParentDetailOutput", "ParentOutput"]


class JobCounts(serializers.Serializer[Any]):
    pending = serializers.IntegerField()
    queued = serializers.IntegerField()
    running = serializers.IntegerField()
    completed = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()


class ParentOutput(serializers.Serializer[ParentJob]):
    class ParentUser(serializers.Serializer[Any]):
        id = serializers.IntegerField()
        username = serializers.CharField()

    id = serializers.UUIDField()
    name = serializers.CharField()
    description = serializers.CharField()
    user = ParentUser()
    status = serializers.SerializerMethodField(help_text="Follows from those of its jobs.")
    progress_percentage = serializers.SerializerMethodField(help_text="The mean of its jobs'.")
    job_counts = serializers.SerializerMethodField(
        help_text="How many of its jobs are in each status."
    )
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    completed_at = serializers.SerializerMethodField(
        help_text="When the last of its jobs was over; null before."
    )

    @extend_schema_field(serializers.ChoiceField(choices=ImputationJob.Status.choices))
    def get_status(self, parent: ParentJob) -> str:
        return _standing(parent).status.value

    def get_progress_percentage(self, parent: ParentJob) -> int:
        return _standing(parent).progress

    @extend_schema_field(JobCounts)
    def get_job_counts(self, parent: ParentJob) -> dict[str, int]:
        return {status.value: number for status, number in _standing(parent).counts.items()}

    def get_completed_at(self, parent: ParentJob) -> datetime | None:
        if _standing(parent).status not in FINAL:
            return None
        ends = (child["completed_at"] for child in _standings(parent))
        return max((datetime.fromisoformat(end) for end in ends if end), default=None)


class ParentDetailOutput(ParentOutput):
    class ChildOutput(serializers.Serializer[ChildJob]):
        id = serializers.UUIDField(source="job_id")
        service = serializers.IntegerField(source="job.service_id")
        service_name = serializers.CharField(source="job.service.name")
        reference_panel = serializers.IntegerField(source="job.reference_panel_id")
        reference_panel_name = serializers.CharField(source="job.reference_panel.name")
        phasing = serializers.BooleanField(source="job.phasing")
        population = serializers.CharField(source="job.population")
        status = serializers.ChoiceField(choices=ImputationJob.Status.choices, source="job.status")
        progress_percentage = serializers.IntegerField(source="job.progress_percentage")
        error_message = serializers.CharField(source="job.error_message")
        attempt = serializers.SerializerMethodField()
        cancel_requested = serializers.SerializerMethodField()
        completed_at = serializers.DateTimeField(source="job.completed_at", allow_null=True)

        def get_attempt(self, child: ChildJob) -> int:
            return child.job.work.attempt if hasattr(child.job, "work") else 1

        def get_cancel_requested(self, child: ChildJob) -> bool:
            return hasattr(child.job, "work") and child.job.work.cancel_requested_at is not None

    jobs = ChildOutput(many=True, source="children", help_text="In the order of the targets.")


def _standings(parent: ParentJob) -> list[dict[str, Any]]:
    """What the query told of the children."""
    found: list[dict[str, Any]] = vars(parent)["standings"]
    return found


def _standing(parent: ParentJob) -> Standing:
    return standing((child["status"], child["progress"]) for child in _standings(parent))
