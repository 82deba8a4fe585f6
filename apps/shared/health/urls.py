"""`/healthz`, `/readyz` and `/metrics`, included by the URLconf of every deployment."""

from django.urls import include, path

from apps.shared.health.api import alive, ready

urlpatterns = [
    path("healthz", alive),
    path("readyz", ready),
    path("", include("django_prometheus.urls")),
]
