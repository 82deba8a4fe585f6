"""Admin pages of the registry domain; what the legacy system left there in plaintext is masked."""

import json
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet, URLField
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminPasswordWidget

from apps.shared.admin.confirming import ConfirmingAdmin
from apps.shared.admin.pages import labelled
from apps.shared.api.origin import origin_of
from federated_imputation.monolith.accounts.pages import RightsAdmin, rights_of
from federated_imputation.monolith.accounts.queries import Capability, token_stored_at
from federated_imputation.monolith.deletions.queries import being_deleted
from federated_imputation.monolith.registry.health.queries import shown_status
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
    ServiceSync,
)
from federated_imputation.monolith.registry.operations import (
    change_address,
    delete_panel,
    remove_service,
    update_service,
)
from federated_imputation.monolith.registry.presentation import (
    health_message,
    health_status,
    public_url,
    version_in,
)
from federated_imputation.monolith.registry.queries import services_for_operators
from federated_imputation.monolith.registry.service_actions import SERVICE_ACTIONS, told_of
from federated_imputation.monolith.registry.setup_page import set_up
from federated_imputation.monolith.registry.standing import standing_shown

__all__: list[str] = []

if TYPE_CHECKING:
    _ServiceModelForm = forms.ModelForm[ImputationService]
    _ConfigurationModelForm = forms.ModelForm[ServiceConfiguration]
else:
    _ServiceModelForm = _ConfigurationModelForm = forms.ModelForm

_SHOWN_INSTEAD = {
    "api_config": "settings_shown",
    "api_url": "address",
}
_NO_SECRET = ValidationError(
    "A mask stands where nothing is kept for this address: write the value, or leave it out.",
    code="mask_without_secret",
)


class _ServiceForm(_ServiceModelForm):
    """Shows masks for secrets, and takes a mask for the secret that is kept at the same place."""

    new_token = forms.CharField(
        required=False,
        max_length=500,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
        help_text="Replaces the one that is kept. It is encrypted and never shown again; leave "
        "this empty to keep it.",
    )

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
class _ImputationServiceAdmin(ConfirmingAdmin, RightsAdmin):
    """A service that is not wanted is switched off, and on again, or deleted for good."""

    form = _ServiceForm
    capability = Capability.MANAGE_SERVICES
    row_actions = SERVICE_ACTIONS
    list_display = ["name", "address", "is_active", "condition", "panels", "last_sync"]
    list_filter = ["is_active", "service_type", "api_type", "continent"]
    search_fields = ["name", "description", "location"]
    formfield_overrides = {URLField: {"assume_scheme": "https"}}
    ordering = ["id"]
    readonly_fields = [
        *("is_active", "condition", "last_check", "panels", "last_sync"),
        *("stored_token", "address", "settings_shown"),
    ]
    fieldsets = [
        ("State", {"fields": ["is_active", "condition", "last_check", "panels", "last_sync"]}),
        (
            "What it is",
            {
                "fields": [
                    *("name", "service_type", "api_type", "api_url", "description"),
                    *("location", "continent"),
                ]
            },
        ),
        ("Token of the platform", {"fields": ["stored_token", "new_token", "api_key_required"]}),
        ("Limits", {"fields": ["max_file_size_mb", "supported_formats", "api_config"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ImputationService]:
        return services_for_operators()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Who may only look is shown no secret of earlier days: nothing masks what is no form."""
        if self.has_change_permission(request, obj):
            return super().get_fieldsets(request, obj)
        return [
            (title, {"fields": [_SHOWN_INSTEAD.get(str(name), name) for name in names]})
            for title, part in self.fieldsets
            if (names := [name for name in part["fields"] if name != "new_token"])
        ]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A service is set up step by step: it is asked before there is a row of it."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        context = {**self.admin_site.each_context(request), "opts": self.opts}
        return set_up(request, context=context)

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

    @labelled(healthy="success", maintenance="warning", timeout="danger", unhealthy="danger")
    def condition(self, service: ImputationService) -> str:
        return health_status(
            standing_shown(service),
            last=shown_status(service),
            checks_are_running=settings.BACKGROUND_CHECKS,
        )

    @admin.display
    def last_check(self, service: ImputationService) -> str:
        """What the last check found, and whether jobs find it silent."""
        row = getattr(service, "health", None)
        told = [health_message(standing_shown(service))]
        if row is not None and row.checked_at is not None and shown_status(service):
            told = [f"{row.checked_at:%Y-%m-%d %H:%M} UTC.", row.message, row.error, *told]
        return " ".join(filter(None, told)) or "None yet"

    @admin.display(description="Settings")
    def settings_shown(self, service: ImputationService) -> str:
        return json.dumps(masked_config(service.api_config), indent=2, ensure_ascii=False)

    @admin.display
    def panels(self, service: ImputationService) -> str:
        offered, retired = service.reference_panels_count, service.retired_panels_count  # type: ignore[attr-defined]
        return f"{offered} offered" + (f", {retired} retired" if retired else "")

    @admin.display(description="Last synchronisation", ordering="sync__finished_at")
    def last_sync(self, service: ImputationService) -> str:
        sync: ServiceSync | None = getattr(service, "sync", None)
        if sync is None or sync.finished_at is None:
            return "None yet"
        return f"{sync.finished_at:%Y-%m-%d %H:%M} UTC. {told_of(sync)}"

    @admin.display(description="Kept now")
    def stored_token(self, service: ImputationService) -> str:
        stored_at = token_stored_at(service_id=service.pk)
        return f"One of {stored_at:%Y-%m-%d %H:%M} UTC" if stored_at else "No token"

    def save_model(
        self, request: HttpRequest, obj: ImputationService, form: Any, change: bool
    ) -> None:
        """Saves what was changed and no more: other columns may have been written meanwhile."""
        changed = set(form.changed_data) - {"new_token"}
        if "api_url" in changed:
            self._change_address(request, obj)
        obj.save(update_fields=[*(changed - {"api_url"}), "updated_at"])
        if form.cleaned_data["new_token"]:
            self._keep_token(request, obj, form.cleaned_data["new_token"])

    def _keep_token(self, request: HttpRequest, service: ImputationService, token: str) -> None:
        update_service(
            service_id=service.pk,
            wanted={"api_key": token},
            by=rights_of(request),
            origin=origin_of(request),
            now=timezone.now(),
        )

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


class _PanelStanding(admin.SimpleListFilter):
    """Offered, retired by the service, or switched off by a person."""

    title = "standing"
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("offered", "Offered"), ("retired", "Retired"), ("off", "Switched off")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[ReferencePanel]
    ) -> QuerySet[ReferencePanel]:
        match self.value():
            case "offered":
                return queryset.filter(is_active=True)
            case "retired":
                return queryset.filter(withdrawn_at__isnull=False)
            case "off":
                return queryset.filter(is_active=False, withdrawn_at__isnull=True)
        return queryset


@admin.register(ReferencePanel)
class _ReferencePanelAdmin(RightsAdmin):
    """A panel is offered, retired by its service, or switched off by a person."""

    capability = Capability.MANAGE_SERVICES
    list_display = ["name", "panel_id", "version", "service", "population", "build", "standing"]
    list_filter = [_PanelStanding, "build", "service"]
    list_select_related = ["service"]
    search_fields = ["name", "panel_id", "population"]
    readonly_fields = ["version", "standing", "withdrawn_at", "withdrawn_because"]
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

    @admin.display
    def version(self, panel: ReferencePanel) -> str:
        return version_in(panel.panel_id) or "not told"

    @labelled(offered="success", retired="warning")
    def standing(self, panel: ReferencePanel) -> str:
        if panel.is_active:
            return "offered"
        return "switched off" if panel.withdrawn_at is None else "retired"


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
