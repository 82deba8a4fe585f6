"""Deleting rows that are of no use any more."""

from datetime import datetime

from django.contrib.sessions.models import Session

from apps.contracts.tokens import CLOCK_TOLERANCE
from federated_imputation.monolith.accounts.models import ApiToken, RevokedToken, TokenFamily
from federated_imputation.monolith.accounts.operations.idempotency import forget_answers

__all__ = ["sweep_expired"]


def sweep_expired(*, now: datetime) -> int:
    """Delete expired logins, revocations, API tokens, sessions and answers that were kept.

    Returns:
        How many rows.

    A revocation goes last: while it is needed, its token would be valid without it.
    """
    gone = now - 2 * CLOCK_TOLERANCE
    deleted = 0
    for model in (TokenFamily, ApiToken, RevokedToken):
        deleted += model._default_manager.filter(expires_at__lt=gone).delete()[0]
    deleted += forget_answers(now=now)
    return deleted + Session.objects.filter(expire_date__lt=gone).delete()[0]
