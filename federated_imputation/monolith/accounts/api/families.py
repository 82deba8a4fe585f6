"""Which login a request belongs to: its token says so, or else its session remembers."""

from uuid import UUID

from rest_framework.request import Request

from apps.shared.identity.grants import AccessGrant

__all__ = ["family_of", "remember_family", "remembered_family"]

_KEY = "token_family"


def family_of(request: Request) -> UUID | None:
    """The family of tokens of the login that let this request in; None when it opened none."""
    if isinstance(request.auth, AccessGrant):
        return request.auth.family
    return remembered_family(request)


def remembered_family(request: Request) -> UUID | None:
    """The family that was opened together with this session, whoever the request is from."""
    family = request.session.get(_KEY)
    return None if family is None else UUID(family)


def remember_family(request: Request, family: UUID) -> None:
    """Let the session know which family began, or goes on, with it."""
    request.session[_KEY] = str(family)
