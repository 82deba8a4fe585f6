"""Admin pages of the jobs domain. They only show: a job changes through its own operations."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.timesince import timesince

from apps.shared.admin.confirming import ConfirmingAdmin
from apps.shared.admin.pages import labelled
from federated_imputation.monolith.accounts.pages import WatchedAdmin
from federated_imputation.monolith.accounts.queries import Capability
from federated_imputation.monolith.jobs.job_actions import JOB_ACTIONS
from federated_imputation.monolith.jobs.models import ImputationJob, JobStatusUpdate, JobWork
from federated_imputation.monolith.jobs.plans.models import JobBatch, JobTemplate, ScheduledJob
from federated_imputation.monolith.jobs.queries import updates_of_job

__all__: list[str] = []

_EVENTS_ON_A_PAGE = 50


@admin.register(ImputationJob)
class _ImputationJobAdmin(ConfirmingAdmin, WatchedAdmin):
    """A job, the work on it, and what happened to it, page by page.

    What the service said in its own form is left out: it names the ways to the files.
    """

    capability = Capability.VIEW_ALL_JOBS
    row_actions = JOB_ACTIONS
    list_display = ["name", "user", "service", "reference_panel", "state", "created_at"]
    list_filter = ["status", "service", "build"]
    list_select_related = ["user", "service", "reference_panel"]
    search_fields = ["id", "name", "external_job_id", "user__username"]
    ordering = ["-created_at", "id"]
    change_form_outer_after_template = "admin/imputation/imputationjob/events.html"
    fieldsets = [
        (
            "Job",
            {
                "fields": [
                    *("id", "name", "description", "user", "service", "reference_panel"),
                    *("state", "progress_percentage", "error_message", "external_job_id"),
                    *("input_format", "build", "phasing", "population", "input_file_size"),
                    *("created_at", "started_at", "completed_at"),
                ]
            },
        ),
        ("Work on it", {"fields": ["phase", "attempt", "due", "trouble", "cancellation"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ImputationJob]:
        return super().get_queryset(request).select_related("work")

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        job = self.get_object(request, object_id) if object_id else None
        context = dict(extra_context or {})
        if job is not None:
            events = Paginator(updates_of_job(job_id=job.pk), _EVENTS_ON_A_PAGE)
            context["events"] = events.get_page(request.GET.get("events"))
        return super().changeform_view(request, object_id, form_url, context)

    @labelled(completed="success", running="info", failed="danger", cancelled="warning")
    def state(self, job: ImputationJob) -> str:
        return job.status

    @admin.display
    def phase(self, job: ImputationJob) -> str:
        work = _work(job)
        return work.get_phase_display() if work else "Nobody has taken it up yet"

    @admin.display
    def attempt(self, job: ImputationJob) -> str:
        work = _work(job)
        return str(work.attempt) if work else "0"

    @admin.display(description="Next look")
    def due(self, job: ImputationJob) -> str:
        work = _work(job)
        return _moment(work.next_poll_at) if work else "Never"

    @admin.display
    def trouble(self, job: ImputationJob) -> str:
        """What went wrong last, and how often in a row; nothing once it went well."""
        work = _work(job)
        if work is None or not work.failures:
            return "None"
        since = f" for {timesince(work.failing_since)}" if work.failing_since else ""
        return f"{work.last_error} ({work.failures} in a row{since})"

    @admin.display(description="Cancellation asked for")
    def cancellation(self, job: ImputationJob) -> str:
        work = _work(job)
        return _moment(work.cancel_requested_at) if work else "Never"


def _work(job: ImputationJob) -> JobWork | None:
    """A job of the legacy system has none until somebody works on it."""
    work: JobWork | None = getattr(job, "work", None)
    return work


def _moment(moment: datetime | None) -> str:
    return "Never" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


@admin.register(JobStatusUpdate)
class _JobStatusUpdateAdmin(WatchedAdmin):
    capability = Capability.VIEW_ALL_JOBS
    list_display = ["timestamp", "job", "status", "progress_percentage", "message"]
    list_filter = ["status"]
    list_select_related = ["job"]
    search_fields = ["job__id", "job__name"]
    exclude = ["external_data"]  # names the ways to files
    ordering = ["-timestamp", "-id"]


@admin.register(JobTemplate)
class _JobTemplateAdmin(WatchedAdmin):
    capability = Capability.VIEW_ALL_JOBS
    list_display = ["name", "user", "service", "reference_panel", "is_public", "usage_count"]
    list_filter = ["is_public", "service", "build"]
    list_select_related = ["user", "service", "reference_panel"]
    search_fields = ["id", "name", "user__username"]
    ordering = ["-created_at", "id"]


@admin.register(JobBatch)
class _JobBatchAdmin(WatchedAdmin):
    capability = Capability.VIEW_ALL_JOBS
    list_display = ["name", "user", "status", "total_jobs", "failed_jobs", "created_at"]
    list_filter = ["status"]
    list_select_related = ["user"]
    search_fields = ["id", "name", "user__username"]
    ordering = ["-created_at", "id"]


@admin.register(ScheduledJob)
class _ScheduledJobAdmin(WatchedAdmin):
    capability = Capability.VIEW_ALL_JOBS
    exclude = ["dispatched_until", "lease_until", "fence"]
    list_display = ["name", "user", "schedule_type", "is_active", "next_execution"]
    list_filter = ["is_active", "schedule_type"]
    list_select_related = ["user"]
    search_fields = ["id", "name", "user__username"]
    ordering = ["-created_at", "id"]
