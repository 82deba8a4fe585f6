"""Deleting rows that can let nobody in any more."""

from datetime import datetime

from django.contrib.sessions.models import Session

from apps.contracts.tokens import CLOCK_TOLERANCE
from federated_imputation.monolith.accounts.models import ApiToken, RevokedToken, TokenFamily

__all__ = ["sweep_expired"]


def sweep_expired(*, now: datetime) -> int:
    """Delete expired logins, revocations, API tokens and sessions; return how many rows.

    A revocation goes last: while it is needed, its token would be valid without it.
    """
    gone = now - 2 * CLOCK_TOLERANCE
    deleted = 0
    for model in (TokenFamily, ApiToken, RevokedToken):
        deleted += model._default_manager.filter(expires_at__lt=gone).delete()[0]
    return deleted + Session.objects.filter(expire_date__lt=gone).delete()[0]
