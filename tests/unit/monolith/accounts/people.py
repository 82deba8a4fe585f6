"""Clients and the audit log, for the tests of roles, users and profiles."""

from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from federated_imputation.monolith.accounts.models import AuditLog

__all__ = ["JSON", "audited", "client_of", "last_details"]

JSON = "application/json"


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def audited() -> list[tuple[str, int | None, str]]:
    """Action, who, and to what, oldest first."""
    return list(AuditLog.objects.order_by("id").values_list("action", "user_id", "resource_id"))


def last_details() -> dict[str, Any]:
    details: dict[str, Any] = AuditLog.objects.order_by("-id")[0].details
    return details
