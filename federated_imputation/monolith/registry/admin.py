"""Admin pages of the registry domain; the legacy plaintext columns are not shown."""

from django.contrib import admin
from django.db.models import URLField

from federated_imputation.monolith.accounts.pages import RightsAdmin
from federated_imputation.monolith.accounts.rights import Capability
from federated_imputation.monolith.registry.models import (
    ImputationService,
    ReferencePanel,
    ServiceConfiguration,
)

__all__: list[str] = []


@admin.register(ImputationService)
class _ImputationServiceAdmin(RightsAdmin):
    capability = Capability.MANAGE_SERVICES
    list_display = ["name", "service_type", "api_type", "api_url", "continent", "is_active"]
    list_filter = ["is_active", "service_type", "api_type", "continent"]
    search_fields = ["name", "description", "location"]
    formfield_overrides = {URLField: {"assume_scheme": "https"}}
    ordering = ["id"]


@admin.register(ReferencePanel)
class _ReferencePanelAdmin(RightsAdmin):
    capability = Capability.MANAGE_SERVICES
    list_display = ["name", "panel_id", "service", "population", "build", "is_active"]
    list_filter = ["is_active", "build", "service"]
    list_select_related = ["service"]
    search_fields = ["name", "panel_id", "population"]
    ordering = ["id"]


@admin.register(ServiceConfiguration)
class _ServiceConfigurationAdmin(RightsAdmin):
    capability = Capability.MANAGE_SERVICES
    list_display = ["service", "rate_limit_per_hour", "timeout_seconds", "retry_attempts"]
    list_select_related = ["service"]
    exclude = ["additional_headers"]  # of earlier days, when it could hold an Authorization
    ordering = ["id"]
