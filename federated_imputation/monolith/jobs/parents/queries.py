"""Reads about parents. Whose one sees is decided here, in the queryset.

What is needed of the children to tell how their parent stands comes in the parent's own row, as
`standings`, so that a page of parents is one query.
"""

from typing import Final
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.db.models.functions import JSONObject

from federated_imputation.monolith.accounts.queries import Capability, Rights
from federated_imputation.monolith.deletions.queries import being_deleted
from federated_imputation.monolith.jobs.models import ChildJob, JobStatusUpdate, ParentJob
from federated_imputation.monolith.jobs.parents.standing import SETS_OF
from federated_imputation.monolith.jobs.queries import shown_jobs
from federated_imputation.monolith.jobs.states import Status

__all__ = ["find_parent", "parents", "updates_of_parent"]

_GONE: Final = being_deleted(
    user="job__user_id", service="job__service_id", panel="job__reference_panel_id", job="job_id"
)
_CHILDREN: Final = (
    ChildJob.objects.filter(~_GONE)
    .select_related("job__service", "job__reference_panel", "job__work")
    .order_by("position")
)


def parents(by: Rights, *, status: str = "", search: str = "") -> QuerySet[ParentJob]:
    """The parents that the caller may see, newest first, with user and `standings`.

    Their own; all with the capability to view all jobs. A right at one service shows the jobs
    there, and nothing of where else a study went. `standings` is a list of objects with `status`,
    `progress` and `completed_at` (ISO 8601 or `None`), one for each child.

    Args:
        status: Exactly this one; '' for all.
        search: A part of the name or the description, in any case.
    """
    children = ChildJob.objects.filter(~_GONE, parent_id=OuterRef("pk"))
    told = JSONObject(
        status="job__status",
        progress="job__progress_percentage",
        completed_at="job__completed_at",
    )
    shown = ParentJob.objects.filter(Exists(children))
    found = shown.select_related("user").annotate(
        standings=ArraySubquery(children.order_by("position").values_list(told))
    )
    if not by.may(Capability.VIEW_ALL_JOBS):
        found = found.filter(Q(user_id=by.user_id))
    if status:
        present = children.order_by("job__status").values("job__status").distinct()
        sets = [sorted(each) for each in SETS_OF[Status(status)]]
        found = found.alias(statuses=ArraySubquery(present)).filter(statuses__in=sets)
    if search:
        found = found.filter(Q(name__icontains=search) | Q(description__icontains=search))
    return found.order_by("-created_at", "id")


def find_parent(by: Rights, *, parent_id: str) -> ParentJob | None:
    """As `parents`, with children and their work; `None` also when `parent_id` is no id at all."""
    try:
        parsed = UUID(parent_id)
    except ValueError:
        return None
    found = parents(by).filter(pk=parsed)
    return found.prefetch_related(Prefetch("children", _CHILDREN)).first()


def updates_of_parent(*, parent_id: UUID) -> QuerySet[JobStatusUpdate]:
    """What happened to all children, in the order in which it happened."""
    found = JobStatusUpdate.objects.filter(job__as_child__parent_id=parent_id, job__in=shown_jobs())
    return found.order_by("timestamp", "id")
