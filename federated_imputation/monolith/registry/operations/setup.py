"""Setting a service up: it is asked first, and then it and its panels are there at once.

The story. Somebody describes a service. It is asked whether it is what they say, with the token
that the platform will have there, and what it offers; nothing is stored yet. When they want it, it
is asked again, and one transaction makes the service, its stored token, its panels, and the row of
its first synchronisation. That row carries the id of the *draft*, which was made with the
description: who sends the same draft twice gets the one service.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.federation import probing
from apps.federation.probing import Finding, Status, Target
from apps.federation.protocol import (
    Busy,
    Discovery,
    Down,
    FederationError,
    Forbidden,
    Malformed,
    NotAuthenticated,
    NotFound,
    Uncertain,
    Unreachable,
)
from apps.shared.api.origin import Origin
from apps.shared.http import configured
from federated_imputation.monolith.accounts.operations import record_audit
from federated_imputation.monolith.accounts.queries import Rights
from federated_imputation.monolith.registry.clients import Catalogue, connect, is_supported
from federated_imputation.monolith.registry.models import ImputationService, ServiceSync
from federated_imputation.monolith.registry.operations.panels import keep_discovery
from federated_imputation.monolith.registry.operations.services import (
    InvalidService,
    create_service,
    refuse_pair,
)
from federated_imputation.monolith.registry.queries import get_service

__all__ = ["Found", "NotReady", "look_at_new_service", "set_up_service"]

Probe = Callable[[Target], Finding]
_DAY: Final = timedelta(days=1)
_MOST_TOLD: Final = 50
_NAME_TAKEN: Final = {"name": ["A service with this name already exists."]}


class NotReady(Exception):
    """The service cannot be set up now; raised with a sentence, and the field that it is about.

    Attributes:
        field: `api_url`, `api_type`, `api_key`, or '' when waiting is all that helps.
    """

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was found at the address of a service.

    Attributes:
        message: Whether it is up, in words for people.
        offer: What it offers; `None` when its API is one that the platform cannot ask for that.
    """

    message: str
    offer: Discovery | None


def look_at_new_service(
    wanted: Mapping[str, Any],
    *,
    client: Catalogue | None = None,
    probe: Probe | None = None,
) -> Found:
    """Ask a service that is not set up yet; changes nothing.

    Args:
        wanted: As for `create_service`.
        client: The service; by default the adapter for its API, with `api_key` as the token.
        probe: Asks without a token, where none is given or none would help.

    Raises:
        InvalidService: The name is taken, or such a service does not speak that API.
        NotReady: It does not answer, is something else, takes no such token, or is in maintenance.
    """
    described = {name: value for name, value in wanted.items() if name != "api_key"}
    service = ImputationService(**described)
    refuse_pair(service.service_type, service.api_type)
    if ImputationService.objects.filter(name=service.name).exists():
        raise InvalidService(_NAME_TAKEN)
    token = wanted.get("api_key", "")
    if not is_supported(service) or not (token or client):
        target = Target(api_type=service.api_type, api_url=service.api_url)
        finding = (probe or _probe)(target)
        _refuse_finding(finding)
        if is_supported(service):
            raise NotReady(
                "The server is there, but tells what it offers only with a token.", field="api_key"
            )
        return Found(message=finding.message, offer=None)
    try:
        offer = (client or connect(service=service, token=token)).discover()
    except FederationError as error:
        raise _explained(error) from None
    if offer.in_maintenance:
        raise _in_maintenance(offer.maintenance_message)
    if not offer.panels:
        raise NotReady("The server is there, but names no panel at all.", field="api_url")
    return Found(message="The service is up.", offer=offer)


def _probe(target: Target) -> Finding:
    return probing.probe(target, client=configured.from_settings())


def set_up_service(
    wanted: Mapping[str, Any],
    *,
    draft_id: UUID,
    by: Rights,
    origin: Origin | None,
    now: datetime,
    client: Catalogue | None = None,
    probe: Probe | None = None,
) -> ImputationService:
    """Ask a service once more, then make it with its panels, or nothing.

    Args:
        wanted: As for `create_service`.
        draft_id: The same for the same wish, however often it is sent.
        client, probe: As for `look_at_new_service`.

    Returns:
        The service; when this draft has made it before, that one.

    Raises:
        InvalidService, NotReady: As `look_at_new_service`.
    """
    try:
        found = look_at_new_service(wanted, client=client, probe=probe)
        with transaction.atomic():
            service = create_service(wanted=wanted, by=by, origin=origin, now=now)
            _keep_offer(service, found.offer, draft_id=draft_id, by=by, origin=origin, now=now)
    except InvalidService:
        made = ServiceSync.objects.filter(task_id=draft_id, service__name=wanted["name"]).first()
        if made is None:
            raise
        return get_service(service_id=made.service_id)
    return get_service(service_id=service.pk)


def _keep_offer(
    service: ImputationService,
    offer: Discovery | None,
    *,
    draft_id: UUID,
    by: Rights,
    origin: Origin | None,
    now: datetime,
) -> None:
    sync = ServiceSync(service_id=service.pk, task_id=draft_id)
    sync.next_sync_at = now + (timedelta(hours=settings.PANEL_SYNC_HOURS) or _DAY)
    if offer is not None:
        done = keep_discovery(service_id=service.pk, discovery=offer, now=now)
        sync.started_at = sync.finished_at = now
        sync.outcome, sync.added = ServiceSync.Outcome.DONE, len(done.added)
        record_audit(
            action="sync_panels",
            user_id=by.user_id,
            resource_type="service",
            resource_id=str(service.pk),
            details={"outcome": "done", "added": done.added[:_MOST_TOLD]},
            origin=origin,
            now=now,
        )
    sync.save(force_insert=True)


def _refuse_finding(finding: Finding) -> None:
    if finding.status is Status.MAINTENANCE:
        raise _in_maintenance("")
    if finding.status is not Status.HEALTHY:
        raise NotReady(f"{finding.message} {finding.error}".strip(), field="api_url")


def _in_maintenance(words: str) -> NotReady:
    told = f" It says: {words}" if words else ""
    return NotReady(f"The server is in maintenance; set it up when that is over.{told}")


def _explained(error: FederationError) -> NotReady:
    """What a failed question means for who asked it."""
    match error:
        case NotAuthenticated():
            return NotReady(f"The server does not take this token: {error}", field="api_key")
        case Forbidden():
            return NotReady(f"This token may not see what is offered: {error}", field="api_key")
        case Unreachable() | Uncertain():
            return NotReady(f"The server is not reached: {error}", field="api_url")
        case Down():
            return NotReady(f"The server does not work now: {error}", field="api_url")
        case Busy():
            return NotReady(f"The server is in maintenance or busy: {error}")
        case Malformed() | NotFound():
            return NotReady(
                f"This is no Michigan Imputation Server, or it has no such application: {error}",
                field="api_url",
            )
    return NotReady(f"The server refuses to tell what it offers: {error}", field="api_url")
