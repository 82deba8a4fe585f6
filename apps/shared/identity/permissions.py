"""Permission classes that every deployment can use."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

__all__ = ["DenyAll"]


class DenyAll(BasePermission):
    """The default: a view that does not say who may is closed to everybody."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return False
