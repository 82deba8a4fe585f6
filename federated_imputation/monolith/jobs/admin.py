"""Admin pages of the jobs domain. They only show: a job changes through its own operations."""

from django.contrib import admin

from federated_imputation.monolith.accounts.pages import WatchedAdmin
from federated_imputation.monolith.accounts.queries import Capability
from federated_imputation.monolith.jobs.models import ImputationJob, JobStatusUpdate
from federated_imputation.monolith.jobs.plans.models import JobBatch, JobTemplate, ScheduledJob

__all__: list[str] = []


@admin.register(ImputationJob)
class _ImputationJobAdmin(WatchedAdmin):
    capability = Capability.VIEW_ALL_JOBS
    list_display = ["name", "user", "service", "reference_panel", "status", "created_at"]
    list_filter = ["status", "service", "build"]
    list_select_related = ["user", "service", "reference_panel"]
    search_fields = ["id", "name", "external_job_id", "user__username"]
    exclude = ["service_response", "result_files"]  # ways to files that are nobody else's
    ordering = ["-created_at", "id"]


@admin.register(JobStatusUpdate)
class _JobStatusUpdateAdmin(WatchedAdmin):
    capability = Capability.VIEW_ALL_JOBS
    list_display = ["timestamp", "job", "status", "progress_percentage", "message"]
    list_filter = ["status"]
    list_select_related = ["job"]
    search_fields = ["job__id", "job__name"]
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
