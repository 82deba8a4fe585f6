"""Permission classes for what the role decides; see `rights` for who has which capability."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.shared.identity.permissions import SignedIn
from federated_imputation.monolith.accounts.queries import find_rights
from federated_imputation.monolith.accounts.rights import Capability

__all__ = ["requires"]


def requires(capability: Capability) -> type[BasePermission]:
    """A permission class: signed in (no API token), with a role that has `capability`."""

    class Requires(SignedIn):
        needed = capability  # the page of permissions is made from it

        def has_permission(self, request: Request, view: APIView) -> bool:
            return super().has_permission(request, view) and find_rights(request.user).may(
                capability
            )

    return Requires
