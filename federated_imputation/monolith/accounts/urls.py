"""Routes of the accounts domain, below `/api/`."""

from django.urls import URLPattern, URLResolver, path

from federated_imputation.monolith.accounts.api.sessions import (
    CurrentUserView,
    LoginView,
    LogoutView,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("auth/login/", LoginView.as_view()),
    path("auth/logout/", LogoutView.as_view()),
    path("auth/user/", CurrentUserView.as_view()),
    path("auth/check/", CurrentUserView.as_view()),
]
