"""Synchronising: asking a service what it offers, one at a time, and remembering what came of it.

The story. Each service has one row. It is due when somebody wants a synchronisation (`wanted_at`),
or when `next_sync_at` has come; beat announces what is due, and a worker takes the row under a
lease, so that two at once are one. An older answer can therefore not overwrite a newer one. What
came of it is written into the row with the panels, in one transaction. A wish that came in while
the service was being asked is kept: its answer may be older than the wish.

What cannot be used changes nothing and is told: no answer, one that is not the protocol, one
without any panel, or a service in maintenance.
"""

import logging
import random
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from apps.federation.protocol import (
    Busy,
    Discovery,
    FederationError,
    Malformed,
    NotAuthenticated,
)
from apps.shared.api.origin import Origin
from apps.shared.leases import Claim, LeaseLost, Leases, held
from federated_imputation.monolith.accounts.operations import record_audit
from federated_imputation.monolith.accounts.queries import reveal_credential
from federated_imputation.monolith.registry.clients import Catalogue, connect, is_supported
from federated_imputation.monolith.registry.hosts import is_loopback
from federated_imputation.monolith.registry.models import ImputationService, ServiceSync
from federated_imputation.monolith.registry.operations.panels import PanelSync, keep_discovery
from federated_imputation.monolith.registry.queries import UnknownService, get_service

__all__ = [
    "DueSync",
    "SyncUnderWay",
    "check_service",
    "claim_due_syncs",
    "request_sync",
    "run_due_sync",
    "sync_panels",
]

logger = logging.getLogger(__name__)
Clock = Callable[[], datetime]
Jitter = Callable[[], float]  # in [0, 1)
DueSync = tuple[int, uuid.UUID]
_AT_ONCE: Final = 10
_ANNOUNCED_FOR: Final = timedelta(seconds=30)
_DAY: Final = timedelta(days=1)
_SPREAD: Final = timedelta(hours=1)
_RETRY: Final = timedelta(hours=1)
_JITTER: Final = 0.1
_LONGEST_MESSAGE: Final = 1000
_MOST_TOLD: Final = 50


class SyncUnderWay(Exception):
    """The service is being asked by somebody else; nothing was changed."""


def _is_due(now: datetime) -> Q:
    return Q(wanted_at__isnull=False) | Q(next_sync_at__lte=now)


_ORDER: Final = ("next_sync_at", "service_id")
_DUE: Final = Leases(table=ServiceSync, due=_is_due, order=_ORDER)
_ANY: Final = Leases(table=ServiceSync, due=lambda now: Q(), order=_ORDER)


@transaction.atomic
def request_sync(
    *, service_id: int, user_id: int | None, origin: Origin | None, now: datetime
) -> uuid.UUID:
    """Want a synchronisation soon; several wishes before it begins are one.

    Returns:
        The id of the task that will do it.

    Raises:
        UnknownService: There is no such service.
    """
    get_service(service_id=service_id)
    row, _ = ServiceSync.objects.select_for_update().get_or_create(service_id=service_id)
    wish, began = row.wanted_at, row.started_at
    if wish is None or (began is not None and wish <= began):
        row.task_id = uuid.uuid4()
    row.wanted_at = now
    row.save(update_fields=["task_id", "wanted_at"])
    record_audit(
        action="request_sync",
        user_id=user_id,
        resource_type="service",
        resource_id=str(service_id),
        origin=origin,
        now=now,
    )
    return row.task_id


def claim_due_syncs(*, now: datetime, jitter: Jitter = random.random) -> list[DueSync]:
    """Services that are to be asked, each with the id of its task; they count as announced.

    Unasked, active services are asked each `PANEL_SYNC_HOURS`, and while `BACKGROUND_CHECKS` is off
    only those on this machine. What a person wants is always done.
    """
    periodic = _periodic_services()
    new = [
        ServiceSync(service_id=service_id, next_sync_at=now + _SPREAD * jitter())
        for service_id, is_known in periodic.items()
        if not is_known
    ]
    if new:
        ServiceSync.objects.bulk_create(new, ignore_conflicts=True)
    due = Leases(
        table=ServiceSync,
        due=lambda at: (
            Q(wanted_at__isnull=False) | Q(next_sync_at__lte=at, service_id__in=list(periodic))
        ),
        order=_ORDER,
    )
    found = due.claim_due(now=now, most=_AT_ONCE, announced_for=_ANNOUNCED_FOR)
    tasks = dict(ServiceSync.objects.filter(pk__in=found).values_list("pk", "task_id"))
    return [(service_id, tasks[service_id]) for service_id in found if service_id in tasks]


def _periodic_services() -> dict[int, bool]:
    """Ids of the services that are asked unasked, and whether they have a row."""
    if not settings.PANEL_SYNC_HOURS:
        return {}
    active = ImputationService.objects.filter(is_active=True).select_related("sync")
    return {
        service.pk: hasattr(service, "sync")
        for service in active
        if is_supported(service) and (settings.BACKGROUND_CHECKS or is_loopback(service.api_url))
    }


def run_due_sync(
    service_id: int,
    *,
    clock: Clock = timezone.now,
    jitter: Jitter = random.random,
    client: Catalogue | None = None,
) -> None:
    """Synchronise a service if that is due and nobody else does it; the row tells what came of it.

    Safe to run twice, late, and for a service that is gone.
    """
    claimed = _DUE.claim(service_id, now=clock())
    if claimed is None:
        return
    try:
        _sync(claimed, service_id, clock=clock, jitter=jitter, client=client)
    except FederationError as error:
        logger.warning(
            "The panels of service %s were not synchronised: %s", service_id, type(error).__name__
        )
    except UnknownService:
        logger.info("Service %s went before its panels were synchronised.", service_id)
    except SyncUnderWay:
        logger.warning("The panels of service %s are synchronised by another.", service_id)


def sync_panels(
    *,
    service_id: int,
    clock: Clock = timezone.now,
    jitter: Jitter = random.random,
    client: Catalogue | None = None,
) -> PanelSync:
    """Ask the service now what it offers, and make its panels' rows say so.

    Args:
        client: The service; by default the adapter for its API with the service's own token.

    Raises:
        UnknownService: There is no such service.
        SyncUnderWay: Somebody else is asking it.
        FederationError: The service could not be asked; `Busy` while it is in maintenance,
            `Malformed` when it names no panel. No panel was changed.
    """
    get_service(service_id=service_id)
    ServiceSync.objects.get_or_create(service_id=service_id)
    claimed = _ANY.claim(service_id, now=clock())
    if claimed is None:
        raise SyncUnderWay(service_id)
    return _sync(claimed, service_id, clock=clock, jitter=jitter, client=client)


def check_service(
    *, service_id: int, now: datetime | None = None, client: Catalogue | None = None
) -> Discovery:
    """What the service offers, without any change here.

    Raises:
        UnknownService: There is no such service.
        FederationError: It could not be asked.
    """
    service = get_service(service_id=service_id)
    return (client or _own_client(service, now=now or timezone.now())).discover()


def _own_client(service: ImputationService, *, now: datetime) -> Catalogue:
    """The view that the platform itself has of a service.

    Raises:
        NotAuthenticated: It needs a token there, and has none.
        Rejected: There is no adapter for its API.
    """
    token = reveal_credential(service_id=service.pk, now=now)
    if token is None:
        raise NotAuthenticated(f"There is no token for {service.name}.", status=401)
    return connect(service=service, token=token)


def _sync(
    claimed: Claim, service_id: int, *, clock: Clock, jitter: Jitter, client: Catalogue | None
) -> PanelSync:
    started = clock()
    # So that a worker that dies, or work that fails as nobody foresaw, is not repeated at once.
    claimed.rows().update(started_at=started, next_sync_at=started + _RETRY)
    with held(claimed, clock=clock) as hold:
        try:
            discovery = _ask(service_id, client, now=started)
            hold.check()
            return _keep(claimed, service_id, discovery, now=clock(), jitter=jitter())
        except FederationError as error:
            _note_failure(claimed, service_id, error, now=clock(), jitter=jitter())
            raise
        except LeaseLost:
            raise SyncUnderWay(service_id) from None


def _ask(service_id: int, client: Catalogue | None, *, now: datetime) -> Discovery:
    """What the service offers: one panel at least."""
    service = get_service(service_id=service_id)
    discovery = (client or _own_client(service, now=now)).discover()
    if discovery.in_maintenance:
        words = discovery.maintenance_message
        said = f" It says: {words}" if words else ""
        raise Busy(f"{service.name} is in maintenance.{said}")
    if not discovery.panels:
        raise Malformed(f"{service.name} names no panel at all, so none was changed.")
    return discovery


@transaction.atomic
def _keep(
    claimed: Claim, service_id: int, discovery: Discovery, *, now: datetime, jitter: float
) -> PanelSync:
    done = keep_discovery(service_id=service_id, discovery=discovery, now=now)
    is_ours = _release(
        claimed,
        pause=timedelta(hours=settings.PANEL_SYNC_HOURS) or _DAY,
        jitter=jitter,
        outcome=ServiceSync.Outcome.DONE,
        finished_at=now,
        added=len(done.added),
        changed=len(done.changed),
        withdrawn=len(done.withdrawn),
        message=_about_skipped(done),
    )
    if not is_ours:
        raise LeaseLost  # and nothing of this is written
    told = {
        "outcome": "done",
        "added": done.added[:_MOST_TOLD],
        "changed": done.changed[:_MOST_TOLD],
        "withdrawn": done.withdrawn[:_MOST_TOLD],
    }
    _audit(service_id, told, now=now)
    return done


def _about_skipped(done: PanelSync) -> str:
    if not done.skipped:
        return ""
    return f"{len(done.skipped)} panels have ids that are too long to be used here."


@transaction.atomic
def _note_failure(
    claimed: Claim, service_id: int, error: FederationError, *, now: datetime, jitter: float
) -> None:
    message = str(error)[:_LONGEST_MESSAGE] or type(error).__name__
    is_ours = _release(
        claimed,
        pause=_RETRY,
        jitter=jitter,
        outcome=ServiceSync.Outcome.FAILED,
        finished_at=now,
        added=0,
        changed=0,
        withdrawn=0,
        message=message,
    )
    if is_ours:
        _audit(service_id, {"outcome": "failed", "message": message}, now=now)


def _release(claimed: Claim, *, pause: timedelta, jitter: float, **told: Any) -> bool:
    """Let go of the row with what came of it; false when somebody else has it."""
    claimed.rows().filter(wanted_at__lte=F("started_at")).update(wanted_at=None)
    next_sync_at = told["finished_at"] + pause * (1 + _JITTER * jitter)
    released = claimed.rows().update(next_sync_at=next_sync_at, lease_until=None, **told)
    return released > 0


def _audit(service_id: int, details: dict[str, Any], *, now: datetime) -> None:
    record_audit(
        action="sync_panels",
        user_id=None,
        resource_type="service",
        resource_id=str(service_id),
        details=details,
        origin=None,
        now=now,
    )
