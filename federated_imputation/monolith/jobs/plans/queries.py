"""Reads of what is planned. Whose rows one sees is decided here, in the queryset."""

from collections import Counter
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Max, Q, QuerySet

from federated_imputation.monolith.deletions.queries import being_deleted
from federated_imputation.monolith.jobs.models import ImputationJob
from federated_imputation.monolith.jobs.plans.models import (
    JobBatch,
    JobTemplate,
    ScheduledExecution,
    ScheduledJob,
)
from federated_imputation.monolith.jobs.queries import shown_jobs
from federated_imputation.monolith.jobs.states import Status

__all__ = [
    "batches",
    "count_jobs_of_batch",
    "executions_of",
    "find_batch",
    "find_schedule",
    "find_template",
    "jobs_of_batch",
    "last_due",
    "schedules",
    "templates",
]


def templates(
    *,
    user_id: int,
    service_id: int | None = None,
    search: str = "",
    is_public: bool | None = None,
) -> QuerySet[JobTemplate]:
    """The user's own templates and the public ones, newest first, with user, service and panel.

    Args:
        service_id: Only for this service; `None` for all.
        search: A part of the name or the description, in any case.
        is_public: `None` for both.
    """
    gone = being_deleted(user="user_id", service="service_id", panel="reference_panel_id")
    found = JobTemplate.objects.select_related("user", "service", "reference_panel").filter(
        ~gone, Q(user_id=user_id) | Q(is_public=True)
    )
    if service_id is not None:
        found = found.filter(service_id=service_id)
    if search:
        found = found.filter(Q(name__icontains=search) | Q(description__icontains=search))
    if is_public is not None:
        found = found.filter(is_public=is_public)
    return found.order_by("-created_at", "id")


def find_template(*, user_id: int, template_id: str) -> JobTemplate | None:
    """The template, if the user may see it; `None` also when `template_id` is no id at all."""
    parsed = _parsed(template_id)
    return None if parsed is None else templates(user_id=user_id).filter(pk=parsed).first()


def batches(*, user_id: int, status: str = "") -> QuerySet[JobBatch]:
    """The user's own batches, newest first; of one status, or '' for all."""
    found = JobBatch.objects.filter(user_id=user_id)
    if status:
        found = found.filter(status=status)
    return found.order_by("-created_at", "id")


def find_batch(*, user_id: int, batch_id: str) -> JobBatch | None:
    """The batch, if it is the user's own; `None` also when `batch_id` is no id at all."""
    parsed = _parsed(batch_id)
    return None if parsed is None else batches(user_id=user_id).filter(pk=parsed).first()


def jobs_of_batch(batch_id: UUID) -> QuerySet[ImputationJob]:
    """The jobs of a batch in the order of its files, with user, service and panel."""
    found = shown_jobs().select_related("user", "service", "reference_panel")
    return found.filter(batch_link__batch_id=batch_id).order_by("batch_link__position")


def count_jobs_of_batch(batch_id: UUID) -> Counter[Status]:
    """How many jobs of a batch stand in each state."""
    counted = shown_jobs().filter(batch_link__batch_id=batch_id).values_list("status")
    found = counted.annotate(number=Count("id")).order_by("status")
    return Counter({Status(status): number for status, number in found})


def schedules(*, user_id: int, is_active: bool | None = None) -> QuerySet[ScheduledJob]:
    """The user's own schedules, newest first, with template and file.

    Args:
        is_active: `None` for both.
    """
    found = ScheduledJob.objects.select_related("template", "genotype_file")
    found = found.filter(user_id=user_id)
    if is_active is not None:
        found = found.filter(is_active=is_active)
    return found.order_by("-created_at", "id")


def find_schedule(*, user_id: int, schedule_id: str) -> ScheduledJob | None:
    """The schedule, if it is the user's own; `None` also when `schedule_id` is no id at all."""
    parsed = _parsed(schedule_id)
    return None if parsed is None else schedules(user_id=user_id).filter(pk=parsed).first()


def executions_of(schedule_id: UUID) -> QuerySet[ScheduledExecution]:
    """What came of the times of a schedule, newest first."""
    found = ScheduledExecution.objects.filter(schedule_id=schedule_id)
    return found.order_by("-executed_at", "-id")


def last_due(schedule_id: UUID) -> datetime | None:
    """The latest of its times that a schedule has answered; `None` before the first."""
    answered = ScheduledExecution.objects.filter(schedule_id=schedule_id, is_by_hand=False)
    latest: datetime | None = answered.aggregate(latest=Max("due_at"))["latest"]
    return latest


def _parsed(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
