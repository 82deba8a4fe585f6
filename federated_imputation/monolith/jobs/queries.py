"""Reads of the jobs domain."""

from collections import Counter

from django.db.models import Count, QuerySet

from federated_imputation.monolith.jobs.models import ImputationJob

__all__ = ["count_jobs_by_status", "recent_jobs"]


def count_jobs_by_status(*, user_id: int) -> Counter[str]:
    """How many jobs of the user stand in each status; 0 for a status that is not there."""
    counted = ImputationJob.objects.filter(user_id=user_id).values_list("status")
    return Counter(dict(counted.annotate(number=Count("id")).order_by("status")))


def recent_jobs(*, user_id: int, limit: int) -> QuerySet[ImputationJob]:
    """The user's newest jobs, newest first, with user, service and panel."""
    return (
        ImputationJob.objects.filter(user_id=user_id)
        .select_related("user", "service", "reference_panel")
        .order_by("-created_at", "-id")[:limit]
    )
