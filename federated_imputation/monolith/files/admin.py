"""Admin pages of the files domain. They only show: not what is in a file, nor where it lies."""

from django.contrib import admin

from federated_imputation.monolith.accounts.pages import WatchedAdmin
from federated_imputation.monolith.accounts.queries import Capability
from federated_imputation.monolith.files.models import GenotypeFile, ResultFile

__all__: list[str] = []


@admin.register(ResultFile)
class _ResultFileAdmin(WatchedAdmin):
    capability = Capability.VIEW_ALL_JOBS
    list_display = ["filename", "job", "file_type", "file_size", "is_available", "created_at"]
    list_filter = ["file_type", "is_available"]
    list_select_related = ["job"]
    search_fields = ["filename", "job__id", "job__name"]
    exclude = ["download_url"]
    ordering = ["-created_at", "-id"]


@admin.register(GenotypeFile)
class _GenotypeFileAdmin(WatchedAdmin):
    capability = Capability.VIEW_ALL_JOBS
    fields = ["id", "user", "name", "format", "size", "made_from", "created_at"]
    list_display = ["name", "user", "format", "size", "created_at"]
    list_filter = ["format", "created_at"]
    list_select_related = ["user"]
    search_fields = ["id", "name", "user__username"]
    ordering = ["-created_at", "id"]
