"""Keeping what a service offers: its panels' rows say what it said last.

The story of a panel's row. It appears when the service offers the panel first, and keeps its number
for ever. What the service says of it later (name, build, populations) is brought up to date. When
the service offers it no more the row is *withdrawn*: inactive, with the time and the reason, and
never deleted, since jobs name it. When it is offered again it comes back.

A person may switch a row off, too. Then it is inactive without being withdrawn, and stays off
whatever the service offers. The database itself keeps the two apart: whoever changes `is_active`
without saying more (an admin page, a legacy process) takes the mark of a withdrawal away.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from apps.federation.protocol import Discovery, OfferedPanel
from federated_imputation.monolith.registry.models import ImputationService, ReferencePanel

__all__ = ["PanelSync", "keep_discovery"]

logger = logging.getLogger(__name__)
_LONGEST_PANEL_ID: Final = 100
_LONGEST_POPULATION: Final = 100


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


@transaction.atomic
def keep_discovery(*, service_id: int, discovery: Discovery, now: datetime) -> PanelSync:
    """Make the rows of a service's panels say what it offers.

    A row is found by (service, panel id). The application's version, phasings, builds and modes are
    kept in the service's `api_config["offers"]`. Running it twice changes nothing the second time.

    Args:
        discovery: An answer that names panels.
    """
    # The lock lets one writer of the service write at a time.
    service = ImputationService.objects.select_for_update().get(pk=service_id)
    known = {panel.panel_id: panel for panel in ReferencePanel.objects.filter(service=service)}
    offered = {panel.key: panel for panel in reversed(discovery.panels)}  # the first of twins
    usable = [
        panel
        for panel in discovery.panels
        if offered[panel.key] is panel and len(panel.key) <= _LONGEST_PANEL_ID
    ]
    skipped = tuple(key for key in offered if len(key) > _LONGEST_PANEL_ID)
    if skipped:
        logger.warning("Service %s offers %s panels with ids too long.", service_id, len(skipped))
    added = [_new(service, panel) for panel in usable if panel.key not in known]
    ReferencePanel.objects.bulk_create(added)
    changed = [
        panel.key for panel in usable if panel.key in known and _update(known[panel.key], panel)
    ]
    withdrawn = sorted(
        panel_id for panel_id, row in known.items() if row.is_active and panel_id not in offered
    )
    for panel_id in withdrawn:
        _withdraw(known[panel_id], discovery, now=now)
    _keep_offers(service, discovery)
    return PanelSync(
        added=tuple(row.panel_id for row in added),
        changed=tuple(changed),
        withdrawn=tuple(withdrawn),
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
    }
    if row.withdrawn_at is not None:
        told |= {"is_active": True, "withdrawn_at": None, "withdrawn_because": None}
    if all(getattr(row, name) == value for name, value in told.items()):
        return False
    for name, value in told.items():
        setattr(row, name, value)
    row.save(update_fields=[*told, "updated_at"])
    return True


def _withdraw(row: ReferencePanel, discovery: Discovery, *, now: datetime) -> None:
    version = f" {discovery.version}" if discovery.version else ""
    row.is_active = False
    row.withdrawn_at = now
    row.withdrawn_because = f"{discovery.application}{version} does not offer it any more."
    row.save(update_fields=["is_active", "withdrawn_at", "withdrawn_because", "updated_at"])


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
