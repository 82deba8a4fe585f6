"""Routes of the accounts domain, below `/api/`."""

from django.urls import URLPattern, URLResolver, path

from federated_imputation.monolith.accounts.api.api_tokens import ApiTokenListView, ApiTokenView
from federated_imputation.monolith.accounts.api.audit import AuditLogListView, AuditLogView
from federated_imputation.monolith.accounts.api.own_password import ChangePasswordView
from federated_imputation.monolith.accounts.api.profiles import (
    ProfileListView,
    ProfileView,
    ResetQuotaView,
    VerifyUserView,
)
from federated_imputation.monolith.accounts.api.roles import RoleListView, RoleView
from federated_imputation.monolith.accounts.api.service_access import (
    UserAccessListView,
    UserAccessView,
)
from federated_imputation.monolith.accounts.api.service_rights import (
    AddMemberView,
    GroupListView,
    GroupView,
    PermissionListView,
    PermissionView,
    RemoveMemberView,
)
from federated_imputation.monolith.accounts.api.sessions import (
    CurrentUserView,
    LoginView,
    LogoutView,
)
from federated_imputation.monolith.accounts.api.tokens import RefreshTokenView, RevokeTokenView
from federated_imputation.monolith.accounts.api.users import (
    ResetPasswordView,
    ToggleActiveView,
    UserListView,
    UserView,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("auth/login/", LoginView.as_view()),
    path("auth/logout/", LogoutView.as_view()),
    path("auth/change-password/", ChangePasswordView.as_view()),
    path("auth/api-tokens/", ApiTokenListView.as_view()),
    path("auth/api-tokens/<int:token_id>/", ApiTokenView.as_view()),
    path("auth/token/refresh/", RefreshTokenView.as_view()),
    path("auth/token/revoke/", RevokeTokenView.as_view()),
    path("auth/user/", CurrentUserView.as_view()),
    path("auth/check/", CurrentUserView.as_view()),
    path("roles/", RoleListView.as_view()),
    path("roles/<int:role_id>/", RoleView.as_view()),
    path("users/", UserListView.as_view()),
    path("users/<int:user_id>/", UserView.as_view()),
    path("users/<int:user_id>/reset_password/", ResetPasswordView.as_view()),
    path("users/<int:user_id>/toggle_active/", ToggleActiveView.as_view()),
    path("profiles/", ProfileListView.as_view()),
    path("profiles/<int:profile_id>/", ProfileView.as_view()),
    path("profiles/<int:profile_id>/reset_quota/", ResetQuotaView.as_view()),
    path("profiles/<int:profile_id>/verify_user/", VerifyUserView.as_view()),
    path("audit-logs/", AuditLogListView.as_view()),
    path("audit-logs/<int:audit_id>/", AuditLogView.as_view()),
    path("services/<int:service_id>/permissions/", PermissionListView.as_view()),
    path("services/<int:service_id>/permissions/<int:permission_id>/", PermissionView.as_view()),
    path("services/<int:service_id>/groups/", GroupListView.as_view()),
    path("services/<int:service_id>/groups/<int:group_id>/", GroupView.as_view()),
    path("services/<int:service_id>/groups/<int:group_id>/add_user/", AddMemberView.as_view()),
    path(
        "services/<int:service_id>/groups/<int:group_id>/remove_user/", RemoveMemberView.as_view()
    ),
    path("user-access/", UserAccessListView.as_view()),
    path("user-access/<int:access_id>/", UserAccessView.as_view()),
]
