"""Routes of monitoring, below `/api/`."""

from django.urls import URLPattern, URLResolver, path

from federated_imputation.monolith.monitoring.api import (
    EchoView,
    MetricsView,
    MonitoringDashboardView,
    MonitoringHealthView,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("monitoring/metrics/", MetricsView.as_view()),
    path("monitoring/dashboard/", MonitoringDashboardView.as_view()),
    path("monitoring/health/", MonitoringHealthView.as_view()),
    path("test/", EchoView.as_view()),
]
