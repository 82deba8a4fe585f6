"""Who may write services: everybody reads them, few change them.

Making and deleting services is for those with the capability `manage_services`. Whoever holds the
right `admin` at a service changes it too, but for the fields that `operations` keeps from them.
"""

from collections.abc import Sequence
from typing import Any

from rest_framework.permissions import SAFE_METHODS, AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.shared.identity.permissions import SignedIn
from federated_imputation.monolith.accounts.queries import Capability, RightAtService, find_rights

__all__ = [
    "ChangesService",
    "MakesServices",
    "OpenToRead",
]


class MakesServices(SignedIn):
    """Anybody to read; `manage_services` to write."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return super().has_permission(request, view) and find_rights(request.user).may(
            Capability.MANAGE_SERVICES
        )


class ChangesService(SignedIn):
    """Anybody to read; `manage_services` to write, or the right `admin` there to change."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not super().has_permission(request, view):
            return False
        rights = find_rights(request.user)
        if rights.may(Capability.MANAGE_SERVICES):
            return True
        holds_it = rights.may_at(view.kwargs["service_id"], RightAtService.ADMIN)
        return holds_it and request.method != "DELETE"


class OpenToRead(APIView):
    """A view that anybody may read; its permission classes are for writing."""

    def get_permissions(self) -> Sequence[Any]:
        return [AllowAny()] if self.request.method in SAFE_METHODS else super().get_permissions()
