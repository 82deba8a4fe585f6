"""Celery in: the checks that beat makes, and the sweep of those of the past."""

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from federated_imputation.monolith.registry.health import operations

__all__ = ["check_health", "sweep"]


@shared_task(name="registry.check_health", ignore_result=True)
def check_health() -> None:
    """Check the services whose time has come, unless services are called on demand only."""
    if settings.BACKGROUND_CHECKS:
        operations.check_due()


@shared_task(name="registry.sweep", ignore_result=True)
def sweep() -> None:
    """Delete old checks; beat sends this each hour."""
    operations.sweep_checks(now=timezone.now())
