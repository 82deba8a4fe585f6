"""Admin pages of the accounts domain. A secret can be deleted here, never read or written."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from apps.shared.admin.confirming import ConfirmingAdmin
from apps.shared.admin.pages import TableInline
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
from federated_imputation.monolith.accounts.operations.tokens import end_sessions
from federated_imputation.monolith.accounts.pages import (
    GoverningAdmin,
    RightsAdmin,
    WatchedAdmin,
    rights_of,
)
from federated_imputation.monolith.accounts.quotas import month_of
from federated_imputation.monolith.accounts.rights import Capability
from federated_imputation.monolith.accounts.user_actions import USER_ACTIONS
from federated_imputation.monolith.deletions.queries import being_deleted

__all__: list[str] = []

admin.site.unregister([User, Group])


@admin.register(User)
class _UserAdmin(ConfirmingAdmin, GoverningAdmin, UserAdmin):  # type: ignore[type-arg]
    """Nobody is deleted here, but through the API. Superusers are changed by their like."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    add_fieldsets = UserAdmin.add_fieldsets  # unfold has none
    ordering = ["username"]
    list_display = ["username", "email", "role", "is_active", "is_staff", "last_login"]
    list_filter = ["is_active", "is_staff", "is_superuser", "profile__role"]
    list_select_related = ["profile__role"]
    row_actions = USER_ACTIONS

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).filter(~being_deleted(user="id"))

    @admin.display(ordering="profile__role__name")
    def role(self, user: User) -> str:
        profile: UserProfile | None = getattr(user, "profile", None)
        return profile.role.name if profile and profile.role else "None"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and _is_within_reach(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not obj.is_active:
            end_sessions(user_id=obj.pk, now=timezone.now())

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        if _is_superuser(request):
            return []
        return ["is_staff", "is_superuser", "groups", "user_permissions"]


@admin.register(Group)
class _GroupAdmin(RightsAdmin, GroupAdmin):
    """Django's groups give access to these pages; superusers alone write them."""

    capability = Capability.MANAGE_USERS

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request)


@admin.register(UserRole)
class _UserRoleAdmin(GoverningAdmin):
    """A role is not deleted here, since those who hold it could do more without one."""

    capability = Capability.MANAGE_ROLES
    list_display = ["name", "is_active", "updated_at"]
    list_filter = ["is_active"]
    filter_horizontal = ["permissions"]
    ordering = ["id"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["name"] if obj else []


@admin.register(UserProfile)
class _UserProfileAdmin(GoverningAdmin):
    list_display = ["user", "role", "institution", "country", "is_verified", "monthly_job_limit"]
    list_filter = ["role", "is_verified", "country"]
    list_select_related = ["user", "role"]
    search_fields = ["user__username", "user__email", "institution", "organization"]
    autocomplete_fields = ["user"]
    ordering = ["id"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and _is_within_reach(request, obj and obj.user)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = super().has_delete_permission(request, obj)
        return allowed and _is_within_reach(request, obj and obj.user)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["user"] if obj else []

    def save_model(self, request: HttpRequest, obj: UserProfile, form: Any, change: bool) -> None:
        if "monthly_jobs_used" in form.changed_data:
            obj.jobs_counted_in = month_of(timezone.now())
        super().save_model(request, obj, form, change)


@admin.register(ServicePermission)
class _ServicePermissionAdmin(RightsAdmin):
    capability = Capability.MANAGE_SERVICE_RIGHTS
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
class _ServiceUserGroupAdmin(RightsAdmin):
    capability = Capability.MANAGE_SERVICE_RIGHTS
    list_display = ["name", "service", "is_active"]
    list_filter = ["is_active", "service"]
    list_select_related = ["service"]
    search_fields = ["name"]
    autocomplete_fields = ["created_by"]
    filter_horizontal = ["permissions"]
    inlines = [_MembershipInline]
    ordering = ["id"]


@admin.register(UserServiceAccess)
class _UserServiceAccessAdmin(RightsAdmin):
    capability = Capability.MANAGE_SERVICE_RIGHTS
    list_display = ["user", "service", "has_access", "quota_used", "quota_limit", "last_used"]
    list_filter = ["has_access", "service"]
    list_select_related = ["user", "service"]
    search_fields = ["user__username", "service__name"]
    autocomplete_fields = ["user"]
    ordering = ["id"]


@admin.register(AuditLog)
class _AuditLogAdmin(WatchedAdmin):
    capability = Capability.READ_AUDIT_LOG
    list_display = ["timestamp", "user", "action", "resource_type", "resource_id", "ip_address"]
    list_filter = ["action", "resource_type"]
    list_select_related = ["user"]
    search_fields = ["user__username", "resource_id"]
    ordering = ["-timestamp", "-id"]


@admin.register(ServiceCredential)
class _ServiceCredentialAdmin(WatchedAdmin):
    capability = Capability.MANAGE_SERVICES
    list_display = ["kind", "service", "user", "job_id", "label", "expires_at", "updated_at"]
    list_filter = ["kind", "service"]
    list_select_related = ["service", "user"]
    search_fields = ["user__username", "label", "job_id"]
    exclude = ["encrypted"]
    ordering = ["id"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return RightsAdmin.has_delete_permission(self, request, obj)


def _is_superuser(request: HttpRequest) -> bool:
    return rights_of(request).is_superuser


def _is_within_reach(request: HttpRequest, user: User | None) -> bool:
    """Whether the caller may change this user: a superuser only as one."""
    return user is None or not user.is_superuser or _is_superuser(request)
