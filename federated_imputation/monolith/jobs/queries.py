"""Reads of the jobs domain. Whose jobs one sees is decided here, in the queryset."""

from collections import Counter
from collections.abc import Collection
from typing import Final
from uuid import UUID

from django.db.models import Count, Prefetch, Q, QuerySet

from federated_imputation.monolith.accounts.queries import Capability, RightAtService, Rights
from federated_imputation.monolith.deletions.queries import Kind, Subject, being_deleted
from federated_imputation.monolith.files.queries import results_of_job
from federated_imputation.monolith.jobs.models import ImputationJob, JobStatusUpdate
from federated_imputation.monolith.jobs.states import FINAL

__all__ = [
    "belongs_to",
    "count_jobs_by_status",
    "find_job",
    "find_job_with_history",
    "has_jobs",
    "is_input",
    "jobs",
    "jobs_of",
    "jobs_over",
    "recent_jobs",
    "service_of",
    "shown_jobs",
    "updates",
    "updates_of_job",
]

_AT_ONCE: Final = 100


def shown_jobs() -> QuerySet[ImputationJob]:
    """The jobs that are on no way out, by themselves or with what they belong to."""
    return ImputationJob.objects.filter(
        ~being_deleted(user="user_id", service="service_id", panel="reference_panel_id", job="id")
    )


def jobs(
    by: Rights,
    *,
    status: str = "",
    service_id: int | None = None,
    search: str = "",
) -> QuerySet[ImputationJob]:
    """The jobs that the caller may see, newest first, with user, service, panel and work.

    Their own; those of a service with the right to view its jobs; all with that capability.

    Args:
        status: Exactly this one; '' for all.
        service_id: Only of this service; `None` for all.
        search: A part of the name, the description or the external id, in any case.
    """
    found = shown_jobs().select_related("user", "service", "reference_panel", "work")
    if not by.may(Capability.VIEW_ALL_JOBS):
        theirs = Q(user_id=by.user_id)
        at_services = Q(service_id__in=by.services_with(RightAtService.VIEW_JOBS))
        found = found.filter(theirs | at_services)
    if status:
        found = found.filter(status=status)
    if service_id is not None:
        found = found.filter(service_id=service_id)
    if search:
        found = found.filter(
            Q(name__icontains=search)
            | Q(description__icontains=search)
            | Q(external_job_id__icontains=search)
        )
    return found.order_by("-created_at", "id")


def find_job(by: Rights, *, job_id: str) -> ImputationJob | None:
    """The job, if the caller may see it; None also when `job_id` is no id at all."""
    try:
        parsed = UUID(job_id)
    except ValueError:
        return None
    return jobs(by).filter(pk=parsed).first()


def find_job_with_history(by: Rights, *, job_id: str) -> ImputationJob | None:
    """As `find_job`, with its parent's id, and its status updates and files, oldest first."""
    try:
        parsed = UUID(job_id)
    except ValueError:
        return None
    history = (
        Prefetch("status_updates", JobStatusUpdate.objects.order_by("timestamp", "id")),
        Prefetch("files", results_of_job(job_id=parsed)),
    )
    found = jobs(by).filter(pk=parsed).select_related("as_child")
    return found.prefetch_related(*history).first()


def updates_of_job(*, job_id: UUID) -> QuerySet[JobStatusUpdate]:
    """What happened to one job, in the order in which it happened."""
    return JobStatusUpdate.objects.filter(job_id=job_id).order_by("timestamp", "id")


def updates(*, user_id: int) -> QuerySet[JobStatusUpdate]:
    """What happened to the user's own jobs, newest first."""
    gone = being_deleted(service="job__service_id", panel="job__reference_panel_id", job="job_id")
    found = JobStatusUpdate.objects.filter(~gone, job__user_id=user_id)
    return found.order_by("-timestamp", "-id")


def count_jobs_by_status(by: Rights) -> Counter[str]:
    """How many jobs stand in each status, 0 for a status that is not there.

    Everybody's for who may see all jobs, else the caller's own, also for who sees the jobs of
    single services: the sum of some people's jobs would be nobody's figure.
    """
    counted = _told(by).values_list("status")
    return Counter(dict(counted.annotate(number=Count("id")).order_by("status")))


def recent_jobs(by: Rights, *, limit: int) -> QuerySet[ImputationJob]:
    """The newest of the jobs that `count_jobs_by_status` counts, with user, service and panel."""
    found = _told(by).select_related("user", "service", "reference_panel")
    return found.order_by("-created_at", "-id")[:limit]


def service_of(*, job_ids: Collection[UUID]) -> int | None:
    """The one service that jobs are for; `None` when all of them are gone."""
    found = ImputationJob.objects.filter(pk__in=job_ids)
    return found.values_list("service_id", flat=True).first()


def is_input(*, path: str) -> bool:
    """Whether a job names this upload."""
    return ImputationJob.objects.filter(input_file=path).exists()


def belongs_to(subject: Subject) -> Q:
    """Whether a job, or the template of one, is of a subject."""
    match subject.kind:
        case Kind.USER:
            return Q(user_id=subject.id)
        case Kind.SERVICE:  # jobs of the legacy system may name another's panel
            return Q(service_id=subject.id) | Q(reference_panel__service_id=subject.id)
        case Kind.PANEL:
            return Q(reference_panel_id=subject.id)
        case Kind.JOB:
            return Q(pk=subject.id)


def jobs_of(subject: Subject) -> QuerySet[ImputationJob]:
    """Every job of a subject that goes, shown to people or not."""
    return ImputationJob.objects.filter(belongs_to(subject))


def jobs_over(subject: Subject) -> list[UUID]:
    """Ids of some jobs of the subject that are over; none when none is left."""
    over = jobs_of(subject).filter(status__in=FINAL).order_by("pk")
    return list(over.values_list("pk", flat=True)[:_AT_ONCE])


def has_jobs(subject: Subject) -> bool:
    """Whether a job of the subject is left."""
    return jobs_of(subject).exists()


def _told(by: Rights) -> QuerySet[ImputationJob]:
    found = shown_jobs()
    return found if by.may(Capability.VIEW_ALL_JOBS) else found.filter(Q(user_id=by.user_id))
