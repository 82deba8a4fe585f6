"""Which login a request belongs to: its token says so, or else its session remembers."""

from uuid import UUID

from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.request import Request

from apps.shared.identity.grants import AccessGrant
from federated_imputation.monolith.accounts.operations.tokens import IssuedTokens, open_family

__all__ = ["begin_family", "family_of"]

# In the session: the family that began with it.
_FAMILY = "token_family"


def family_of(request: Request) -> UUID | None:
    """The family of tokens of the login that let this request in; None when it opened none."""
    if isinstance(request.auth, AccessGrant):
        return request.auth.family
    return _remembered(request)


def begin_family(request: Request, user: User) -> IssuedTokens:
    """Issue tokens to a user whose password this request showed.

    When the session is the user's too, they end with it, and replace those it had before.
    """
    now = timezone.now()
    if request.auth is not None:
        return open_family(user=user, session_key="", replaces=None, now=now)
    issued = open_family(
        user=user,
        session_key=request.session.session_key or "",
        replaces=_remembered(request),
        now=now,
    )
    request.session[_FAMILY] = str(issued.family)
    return issued


def _remembered(request: Request) -> UUID | None:
    family = request.session.get(_FAMILY)
    return None if family is None else UUID(family)
