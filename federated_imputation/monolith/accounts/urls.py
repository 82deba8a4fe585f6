"""Routes of the accounts domain, below `/api/`."""

from django.urls import URLPattern, URLResolver, path

from federated_imputation.monolith.accounts.api.profiles import (
    ProfileListView,
    ProfileView,
    ResetQuotaView,
    VerifyUserView,
)
from federated_imputation.monolith.accounts.api.roles import RoleListView, RoleView
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
]
