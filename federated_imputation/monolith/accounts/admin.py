"""Admin pages of the accounts domain. A secret can be deleted here, never read or written."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from apps.shared.admin.pages import EditableAdmin, ReadOnlyAdmin, TableInline
from federated_imputation.monolith.accounts.models import (
    AuditLog,
    ServiceCredential,
    ServicePermission,
    ServiceUserGroup,
    ServiceUserGroupMembership,
    UserProfile,
    UserRole,
    UserServiceAccess,
)

__all__: list[str] = []


@admin.register(UserRole)
class _UserRoleAdmin(EditableAdmin):
    list_display = ["name", "is_active", "updated_at"]
    list_filter = ["is_active"]
    filter_horizontal = ["permissions"]
    ordering = ["id"]


@admin.register(UserProfile)
class _UserProfileAdmin(EditableAdmin):
    list_display = ["user", "role", "institution", "country", "is_verified", "monthly_job_limit"]
    list_filter = ["role", "is_verified", "country"]
    list_select_related = ["user", "role"]
    search_fields = ["user__username", "user__email", "institution", "organization"]
    autocomplete_fields = ["user"]
    ordering = ["id"]


@admin.register(ServicePermission)
class _ServicePermissionAdmin(EditableAdmin):
    list_display = ["user", "service", "permission", "is_active", "expires_at", "granted_by"]
    list_filter = ["permission", "is_active", "service"]
    list_select_related = ["user", "service", "granted_by"]
    search_fields = ["user__username", "service__name"]
    autocomplete_fields = ["user", "granted_by"]
    ordering = ["id"]


class _MembershipInline(TableInline):
    model = ServiceUserGroupMembership
    extra = 0
    autocomplete_fields = ["user", "added_by"]


@admin.register(ServiceUserGroup)
class _ServiceUserGroupAdmin(EditableAdmin):
    list_display = ["name", "service", "is_active"]
    list_filter = ["is_active", "service"]
    list_select_related = ["service"]
    search_fields = ["name"]
    autocomplete_fields = ["created_by"]
    filter_horizontal = ["permissions"]
    inlines = [_MembershipInline]
    ordering = ["id"]


@admin.register(UserServiceAccess)
class _UserServiceAccessAdmin(EditableAdmin):
    list_display = ["user", "service", "has_access", "quota_used", "quota_limit", "last_used"]
    list_filter = ["has_access", "service"]
    list_select_related = ["user", "service"]
    search_fields = ["user__username", "service__name"]
    autocomplete_fields = ["user"]
    ordering = ["id"]


@admin.register(AuditLog)
class _AuditLogAdmin(ReadOnlyAdmin):
    list_display = ["timestamp", "user", "action", "resource_type", "resource_id", "ip_address"]
    list_filter = ["action", "resource_type"]
    list_select_related = ["user"]
    search_fields = ["user__username", "resource_id"]
    ordering = ["-timestamp", "-id"]


@admin.register(ServiceCredential)
class _ServiceCredentialAdmin(ReadOnlyAdmin):
    list_display = ["kind", "service", "user", "job_id", "label", "expires_at", "updated_at"]
    list_filter = ["kind", "service"]
    list_select_related = ["service", "user"]
    search_fields = ["user__username", "label", "job_id"]
    exclude = ["encrypted"]
    ordering = ["id"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return EditableAdmin.has_delete_permission(self, request, obj)
