"""Deleting services and panels for good. What hangs on them goes first, domain by domain."""

from collections.abc import Callable
from datetime import datetime
from uuid import uuid4

from django.db import transaction

from apps.shared.api.origin import Origin
from federated_imputation.monolith.accounts.operations import record_audit
from federated_imputation.monolith.deletions import operations as deletions
from federated_imputation.monolith.deletions.queries import Kind, Subject
from federated_imputation.monolith.registry.models import (
    ImputationService,
    ReferencePanel,
    ServiceSync,
)
from federated_imputation.monolith.registry.queries import UnknownPanel, UnknownService

__all__ = ["delete_panel", "erase_panel", "erase_service", "remove_service"]


@transaction.atomic
def remove_service(
    service_id: int, *, user_id: int | None, origin: Origin | None, now: datetime
) -> None:
    """Begin to delete a service with its panels, its jobs and all rights and secrets for it.

    From now on nobody sees it, or its panels and jobs, and its name is free. What runs there is
    cancelled before the jobs go.

    Args:
        user_id: Who deletes it; `None` for the platform itself.
        origin: From where; `None` when there was no request.

    Raises:
        UnknownService: There is none, or it is being deleted already.
    """
    service = ImputationService.objects.select_for_update().filter(pk=service_id).first()
    subject = Subject(kind=Kind.SERVICE, id=service_id)
    if service is None or not deletions.begin(subject, asked_by=user_id, now=now):
        raise UnknownService(service_id)
    record_audit(
        action="delete_service",
        user_id=user_id,
        resource_type="service",
        resource_id=str(service_id),
        details={
            "name": service.name,
            "jobs": service.jobs.count(),
            "panels": service.reference_panels.count(),
        },
        origin=origin,
        now=now,
    )
    service.is_active = False
    service.name = f"~{uuid4()}"  # the old one is free, and this one nobody's
    ServiceSync.objects.filter(service_id=service_id).delete()
    service.save(update_fields=["is_active", "name", "updated_at"])


@transaction.atomic
def delete_panel(
    panel_id: int, *, user_id: int | None, origin: Origin | None, now: datetime
) -> None:
    """Begin to delete a panel with its jobs; else as `remove_service`.

    A service that still offers it gets a new row for it at the next synchronisation.

    Raises:
        UnknownPanel: There is none, or it is being deleted already.
    """
    panel = ReferencePanel.objects.select_for_update().filter(pk=panel_id).first()
    subject = Subject(kind=Kind.PANEL, id=panel_id)
    if panel is None or not deletions.begin(subject, asked_by=user_id, now=now):
        raise UnknownPanel(panel_id)
    record_audit(
        action="delete_panel",
        user_id=user_id,
        resource_type="panel",
        resource_id=str(panel_id),
        details={"name": panel.name, "panel_id": panel.panel_id, "service": panel.service_id},
        origin=origin,
        now=now,
    )
    panel.is_active = False
    panel.panel_id = f"~{uuid4()}"
    panel.save(update_fields=["is_active", "panel_id", "updated_at"])


def erase_service(service_id: int, *, unless: Callable[[], bool]) -> bool:
    """Delete the row and what the registry has of it, unless, under its lock, something is left.

    Returns:
        Whether it is gone.
    """
    return deletions.erase(ImputationService.objects.filter(pk=service_id), unless=unless)


def erase_panel(panel_id: int, *, unless: Callable[[], bool]) -> bool:
    """As `erase_service`."""
    return deletions.erase(ReferencePanel.objects.filter(pk=panel_id), unless=unless)
