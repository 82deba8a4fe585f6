"""Celery in: the tick of deletions, and one of them."""

from celery import shared_task
from django.utils import timezone

from federated_imputation.monolith.deletions import operations as deletions
from federated_imputation.monolith.sagas import deletion

__all__ = ["advance", "tick"]


@shared_task(name="deletions.tick", ignore_result=True)
def tick() -> None:
    """Announce every deletion that somebody has to go on with; beat sends this each second."""
    for deletion_id in deletions.claim_due(now=timezone.now()):
        advance.apply_async(args=(deletion_id,), expires=30, retry=False)


@shared_task(name="deletions.advance", ignore_result=True)
def advance(deletion_id: int) -> None:
    """Go on with a deletion."""
    deletion.advance(deletion_id)
