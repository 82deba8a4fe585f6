"""Synchronising panels: what a service offers, as it tells itself."""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.federation.protocol import Busy, Discovery, NotAuthenticated, OfferedPanel
from federated_imputation.monolith.accounts.queries import reveal_credential
from federated_imputation.monolith.registry.clients import Catalogue, connect
from federated_imputation.monolith.registry.models import ImputationService, ReferencePanel
from federated_imputation.monolith.registry.queries import get_service

__all__ = ["PanelSync", "sync_panels"]

logger = logging.getLogger(__name__)
_LONGEST_PANEL_ID = 100
_LONGEST_POPULATION = 100


@dataclass(frozen=True, kw_only=True)
class PanelSync:
    """What a synchronisation did, as panel ids of the service.

    Attributes:
        added: Panels that got a row.
        changed: Rows that were brought up to date or came back.
        withdrawn: Rows that were active and are offered no more; they are kept, inactive.
        skipped: Panels whose id is longer than the legacy column; they cannot be used here.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


def sync_panels(*, service_id: int, now: datetime, client: Catalogue | None = None) -> PanelSync:
    """Ask the service what it offers and make its panels' rows say so.

    A row is found by (service, panel id) and keeps its number for ever. The application's version,
    phasings, builds and modes are kept in the service's `api_config["offers"]`. Running it twice
    changes nothing the second time.

    Args:
        client: The service; by default the adapter for its API with the service's own token.

    Raises:
        UnknownService: There is no such service.
        FederationError: The service could not be asked; `Busy` while it is in maintenance, so that
            its empty answer withdraws nothing.
    """
    service = get_service(service_id=service_id)
    discovery = (client or _own_client(service, now=now)).discover()
    if discovery.in_maintenance:
        raise Busy(discovery.maintenance_message or f"{service.name} is in maintenance.")
    return _keep_discovery(service_id=service_id, discovery=discovery)


def _own_client(service: ImputationService, *, now: datetime) -> Catalogue:
    token = reveal_credential(service_id=service.pk, now=now)
    if token is None:
        raise NotAuthenticated(f"There is no token for {service.name}.", status=401)
    return connect(service=service, token=token)


@transaction.atomic
def _keep_discovery(*, service_id: int, discovery: Discovery) -> PanelSync:
    # The lock lets one synchronisation of a service write at a time.
    service = ImputationService.objects.select_for_update().get(pk=service_id)
    known = {panel.panel_id: panel for panel in ReferencePanel.objects.filter(service=service)}
    usable = [panel for panel in discovery.panels if len(panel.key) <= _LONGEST_PANEL_ID]
    skipped = tuple(panel.key for panel in discovery.panels if len(panel.key) > _LONGEST_PANEL_ID)
    if skipped:
        logger.warning("Service %s offers %s panels with ids too long.", service_id, len(skipped))
    added = [_new(service, panel) for panel in usable if panel.key not in known]
    ReferencePanel.objects.bulk_create(added)
    changed = [
        panel.key for panel in usable if panel.key in known and _update(known[panel.key], panel)
    ]
    offered = {panel.key for panel in usable}
    withdrawn = [
        panel_id for panel_id, row in known.items() if row.is_active and panel_id not in offered
    ]
    for panel_id in withdrawn:
        known[panel_id].is_active = False
        known[panel_id].save(update_fields=["is_active", "updated_at"])
    _keep_offers(service, discovery)
    return PanelSync(
        added=tuple(row.panel_id for row in added),
        changed=tuple(changed),
        withdrawn=tuple(sorted(withdrawn)),
        skipped=skipped,
    )


def _new(service: ImputationService, panel: OfferedPanel) -> ReferencePanel:
    population = ", ".join(panel.populations)
    return ReferencePanel(
        service=service,
        panel_id=panel.key,
        name=panel.name,
        build=panel.build,
        populations=list(panel.populations),
        population=population if len(population) <= _LONGEST_POPULATION else "",
    )


def _update(row: ReferencePanel, panel: OfferedPanel) -> bool:
    """Bring `row` up to date; what the service does not tell stays as an operator wrote it."""
    told: dict[str, Any] = {
        "name": panel.name,
        "build": panel.build or row.build,
        "populations": list(panel.populations),
        "is_active": True,
    }
    if all(getattr(row, name) == value for name, value in told.items()):
        return False
    for name, value in told.items():
        setattr(row, name, value)
    row.save(update_fields=[*told, "updated_at"])
    return True


def _keep_offers(service: ImputationService, discovery: Discovery) -> None:
    offers = {
        "version": discovery.version,
        "phasings": list(discovery.phasings),
        "builds": list(discovery.builds),
        "modes": list(discovery.modes),
    }
    if service.api_config.get("offers") != offers:
        service.api_config = {**service.api_config, "offers": offers}
        service.save(update_fields=["api_config", "updated_at"])
