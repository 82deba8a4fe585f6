"""Permission classes that every deployment can use.

Every view says who may: `AllowAny`, `SignedIn`, `in_scope(…)`, or what a deployment adds. A view
that says nothing is closed.
"""

from typing import TYPE_CHECKING

from rest_framework.permissions import SAFE_METHODS, BasePermission

from apps.shared.identity.grants import ApiTokenGrant

if TYPE_CHECKING:
    # `rest_framework.views` loads this module as the default permission while it loads itself.
    from rest_framework.request import Request
    from rest_framework.views import APIView

__all__ = ["AREAS", "SCOPES", "DenyAll", "SignedIn", "covers", "in_scope"]

AREAS = ("account", "files", "jobs", "registry")
SCOPES = tuple(f"{area}:{access}" for area in AREAS for access in ("read", "write"))


class DenyAll(BasePermission):
    """The default: a view that does not say who may is closed to everybody."""

    def has_permission(self, request: "Request", view: "APIView") -> bool:
        return False


class SignedIn(BasePermission):
    """A person: a session or an access token. The API token of a script is refused."""

    def has_permission(self, request: "Request", view: "APIView") -> bool:
        return _is_somebody(request) and not isinstance(request.auth, ApiTokenGrant)


def in_scope(area: str) -> type[BasePermission]:
    """A permission class: a person, or an API token with `<area>:read`, or `:write` to change.

    Raises:
        ValueError: There is no such area.
    """
    if area not in AREAS:
        raise ValueError(area)

    class InScope(BasePermission):
        of = area

        def has_permission(self, request: "Request", view: "APIView") -> bool:
            return _is_somebody(request) and covers(request, area)

    return InScope


def covers(request: "Request", area: str) -> bool:
    """Whether no API token, or one with the scope for this request in this area, came with it.

    For views that let everybody in: who comes with another token is to them as nobody.
    """
    if not isinstance(request.auth, ApiTokenGrant):
        return True
    access = "read" if request.method in SAFE_METHODS else "write"
    return f"{area}:{access}" in request.auth.scopes


def _is_somebody(request: "Request") -> bool:
    return bool(request.user and request.user.is_authenticated)
