"""Permission classes that every deployment can use."""

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission

if TYPE_CHECKING:
    # `rest_framework.views` loads this module as the default permission while it loads itself.
    from rest_framework.request import Request
    from rest_framework.views import APIView

__all__ = ["DenyAll"]


class DenyAll(BasePermission):
    """The default: a view that does not say who may is closed to everybody."""

    def has_permission(self, request: "Request", view: "APIView") -> bool:
        return False
