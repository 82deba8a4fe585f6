"""`/healthz`, `/readyz` and `/metrics`, included by the URLconf of every deployment."""

from django.urls import path

from apps.shared.health.api import alive, metrics, ready

urlpatterns = [
    path("healthz", alive),
    path("readyz", ready),
    path("metrics", metrics),
]
