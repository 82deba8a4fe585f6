"""Celery in: forgetting what has expired."""

from celery import shared_task
from django.utils import timezone

from federated_imputation.monolith.accounts.operations.sweep import sweep_expired

__all__ = ["sweep"]


@shared_task(name="accounts.sweep", ignore_result=True)
def sweep() -> None:
    """Delete sessions and tokens that have expired; beat sends this each hour."""
    sweep_expired(now=timezone.now())
