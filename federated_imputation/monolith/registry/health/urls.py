"""Routes of the health of services, below `/api/`."""

from django.urls import URLPattern, URLResolver, path

from federated_imputation.monolith.registry.health.api import (
    CacheInfoView,
    CacheStatsView,
    ClearAllCacheView,
    ClearCacheView,
    HealthAllView,
    HealthView,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("services/health_all/", HealthAllView.as_view()),
    path("services/cache_stats/", CacheStatsView.as_view()),
    path("services/clear_all_cache/", ClearAllCacheView.as_view()),
    path("services/<int:service_id>/health/", HealthView.as_view()),
    path("services/<int:service_id>/cache_info/", CacheInfoView.as_view()),
    path("services/<int:service_id>/clear_cache/", ClearCacheView.as_view()),
]
