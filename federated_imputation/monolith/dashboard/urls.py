"""Routes of the dashboard, below `/api/`."""

from django.urls import URLPattern, URLResolver, path

from federated_imputation.monolith.dashboard.api import (
    DashboardHealthView,
    ServicesOverviewView,
    StatsView,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("dashboard/stats/", StatsView.as_view()),
    path("dashboard/services_overview/", ServicesOverviewView.as_view()),
    path("dashboard/health/", DashboardHealthView.as_view()),
]
