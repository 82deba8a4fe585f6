"""Admin pages of the registry domain; what the legacy system left there in plaintext is masked."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet, URLField
from django.http import HttpRequest
from django.utils import timezone

from apps.shared.api.origin import origin_of
from federated_imputation.monolith.accounts.pages import RightsAdmin
from federated_imputation.monolith.accounts.queries import Capability
from federated_imputation.monolith.deletions.queries import being_deleted
from federated_imputation.monolith.registry.masking import (
    MaskWithoutSecret,
    is_same_origin,
    masked_config,
    masked_url,
    unmasked_config,
    unmasked_url,
)
from federated_imputation.monolith.registry.models import (
    ImputationService,
    ReferencePanel,
    ServiceConfiguration,
)
from federated_imputation.monolith.registry.operations import (
    change_address,
    delete_panel,
    remove_service,
)
from federated_imputation.monolith.registry.presentation import public_url
from federated_imputation.monolith.registry.queries import sync_of

__all__: list[str] = []

if TYPE_CHECKING:
    _ServiceModelForm = forms.ModelForm[ImputationService]
    _ConfigurationModelForm = forms.ModelForm[ServiceConfiguration]
else:
    _ServiceModelForm = _ConfigurationModelForm = forms.ModelForm

_NO_SECRET = ValidationError(
    "A mask stands where nothing is kept for this address: write the value, or leave it out.",
    code="mask_without_secret",
)


class _ServiceForm(_ServiceModelForm):
    """Shows masks for secrets, and takes a mask for the secret that is kept at the same place."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._url, self._config = self.instance.api_url, self.instance.api_config
        self.initial["api_url"] = masked_url(self._url)
        self.initial["api_config"] = masked_config(self._config)

    def clean_api_url(self) -> str:
        try:
            return unmasked_url(self.cleaned_data["api_url"], stored=self._url)
        except MaskWithoutSecret:
            raise _NO_SECRET from None

    def clean(self) -> dict[str, Any]:
        """The settings are kept for the address: masked ones do not go to another."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if {"api_url", "api_config"} <= cleaned.keys():
            kept = self._config if is_same_origin(cleaned["api_url"], self._url) else {}
            try:
                cleaned["api_config"] = unmasked_config(cleaned["api_config"], stored=kept)
            except MaskWithoutSecret:
                self.add_error("api_config", _NO_SECRET)
        return cleaned


@admin.register(ImputationService)
class _ImputationServiceAdmin(RightsAdmin):
    form = _ServiceForm
    capability = Capability.MANAGE_SERVICES
    list_display = ["name", "service_type", "api_type", "address", "continent", "is_active"]
    list_filter = ["is_active", "service_type", "api_type", "continent"]
    search_fields = ["name", "description", "location"]
    formfield_overrides = {URLField: {"assume_scheme": "https"}}
    ordering = ["id"]
    readonly_fields = ["last_sync"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ImputationService]:
        return super().get_queryset(request).filter(~being_deleted(service="id"))

    def delete_model(self, request: HttpRequest, obj: ImputationService) -> None:
        """Begins a deletion; its last step is not for a request to wait for."""
        remove_service(
            obj.pk, user_id=request.user.pk, origin=origin_of(request), now=timezone.now()
        )

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ImputationService]) -> None:
        for service in queryset:
            self.delete_model(request, service)

    @admin.display(ordering="api_url")
    def address(self, service: ImputationService) -> str:
        return public_url(service.api_url)

    @admin.display(description="Last synchronisation of its panels")
    def last_sync(self, service: ImputationService) -> str:
        sync = sync_of(service_id=service.pk)
        if sync.finished_at is None:
            return "None yet"
        counts = f"{sync.added} added, {sync.changed} changed, {sync.withdrawn} withdrawn"
        told = f"{counts}. {sync.message}" if sync.outcome == "done" else sync.message
        return f"{sync.finished_at:%Y-%m-%d %H:%M} UTC, {sync.outcome}: {told}"

    def save_model(
        self, request: HttpRequest, obj: ImputationService, form: Any, change: bool
    ) -> None:
        """Saves what was changed and no more: other columns may have been written meanwhile."""
        if not change:
            super().save_model(request, obj, form, change)
            return
        changed = set(form.changed_data)
        if "api_url" in changed:
            self._change_address(request, obj)
        obj.save(update_fields=[*(changed - {"api_url"}), "updated_at"])

    def _change_address(self, request: HttpRequest, service: ImputationService) -> None:
        done = change_address(
            service_id=service.pk,
            api_url=service.api_url,
            user_id=request.user.pk,
            origin=origin_of(request),
            now=timezone.now(),
        )
        if done.is_elsewhere:
            self.message_user(
                request,
                f"{service.name} is at another address now, so what opened it at the old one was "
                f"forgotten ({done.forgotten} stored secrets). Its token, and those of its users, "
                "must be given again.",
                messages.WARNING,
            )


@admin.register(ReferencePanel)
class _ReferencePanelAdmin(RightsAdmin):
    capability = Capability.MANAGE_SERVICES
    list_display = ["name", "panel_id", "service", "population", "build", "is_active"]
    list_filter = ["is_active", "build", "service"]
    list_select_related = ["service"]
    search_fields = ["name", "panel_id", "population"]
    readonly_fields = ["withdrawn_at", "withdrawn_because"]
    ordering = ["id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReferencePanel]:
        return (
            super().get_queryset(request).filter(~being_deleted(panel="id", service="service_id"))
        )

    def delete_model(self, request: HttpRequest, obj: ReferencePanel) -> None:
        """As of a service."""
        delete_panel(obj.pk, user_id=request.user.pk, origin=origin_of(request), now=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ReferencePanel]) -> None:
        for panel in queryset:
            self.delete_model(request, panel)


class _ConfigurationForm(_ConfigurationModelForm):
    """As `_ServiceForm`, for the settings of a service."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._settings = self.instance.settings
        self.initial["settings"] = masked_config(self._settings)

    def clean_settings(self) -> Any:
        try:
            return unmasked_config(self.cleaned_data["settings"], stored=self._settings)
        except MaskWithoutSecret:
            raise _NO_SECRET from None


@admin.register(ServiceConfiguration)
class _ServiceConfigurationAdmin(RightsAdmin):
    form = _ConfigurationForm
    capability = Capability.MANAGE_SERVICES
    list_display = ["service", "rate_limit_per_hour", "timeout_seconds", "retry_attempts"]
    list_select_related = ["service"]
    exclude = ["additional_headers"]  # of earlier days, when it could hold an Authorization
    ordering = ["id"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["service"] if obj else []  # its secrets are for this service's address
