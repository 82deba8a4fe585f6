from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from apps.shared.openapi.api import DocsView, SchemaView
from federated_imputation.monolith.accounts.api.tokens import KeySetView
from federated_imputation.monolith.accounts.password_page import change_own_password
from federated_imputation.monolith.dashboard.api import LegacyAliveView, LegacyReadyView

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/password_change/", change_own_password),
    path("admin/", admin.site.urls),
    path(".well-known/jwks.json", KeySetView.as_view()),
    path("api/", include("federated_imputation.monolith.accounts.urls")),
    path("api/", include("federated_imputation.monolith.registry.urls")),
    path("api/", include("federated_imputation.monolith.registry.health.urls")),
    path("api/", include("federated_imputation.monolith.jobs.urls")),
    path("api/", include("federated_imputation.monolith.files.urls")),
    path("api/", include("federated_imputation.monolith.dashboard.urls")),
    path("api/", include("federated_imputation.monolith.monitoring.urls")),
    path("api/schema/", SchemaView.as_view(), name="schema"),
    path("api/docs/", DocsView.as_view(), name="docs"),
    path("health/", LegacyAliveView.as_view()),
    path("health/ready/", LegacyReadyView.as_view()),
    path("", include("apps.shared.health.urls")),
]
handler400 = "apps.shared.api.errors.bad_request"
handler404 = "apps.shared.api.errors.not_found"
handler500 = "apps.shared.api.errors.server_error"
