"""Writes about the health of services: checking them, forgetting, sweeping the past.

One check of a service is under way at a time, in whichever process: whoever wants one claims the
service's row, and everybody else waits for what comes of it. A process that dies leaves a claim
that ends by itself.
"""

import logging
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.federation.probing import Finding, Target, probe_all
from apps.shared.api.origin import Origin
from apps.shared.http import configured
from federated_imputation.monolith.accounts.operations import record_audit
from federated_imputation.monolith.registry.health import cache, queries
from federated_imputation.monolith.registry.health.models import ServiceCheck, ServiceHealth
from federated_imputation.monolith.registry.health.states import (
    CLAIM_LASTS,
    REST,
    Asker,
    State,
    is_loopback,
    next_check_after,
)
from federated_imputation.monolith.registry.models import ImputationService

__all__ = [
    "Answer",
    "Probe",
    "check_due",
    "check_services",
    "forget_all",
    "forget_one",
    "sweep_checks",
]

logger = logging.getLogger(__name__)
Clock = Callable[[], datetime]
Probe = Callable[[Mapping[int, Target]], dict[int, Finding]]

# For all services that one request asks about, and for what others have begun.
WITHIN_SECONDS: Final = 12.0
_LOOK_EVERY_SECONDS: Final = 0.2
_DUE_AT_ONCE: Final = 16
KEPT_FOR: Final = timedelta(days=30)
MOST_KEPT: Final = 5_000

_SWITCHED_OFF: Final = "The service is switched off, so it is not asked."
_FOREIGN: Final = (
    "Background checks are off here, so only services on this machine are asked: this one was not."
)
_RESTED: Final = "A service is asked once in 10 seconds at most: this is what was found last."
_UNDER_WAY: Final = "The check takes long; this is what was known before."


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What somebody who asks about a service is told.

    Attributes:
        state: `None` when nothing is known.
        is_cached: Whether no check was made for this answer.
        note: Why it is not what was asked for; '' when it is.
        is_resting: Whether the service is never asked.
    """

    service: ImputationService
    state: State | None
    is_cached: bool
    note: str = ""
    is_resting: bool = False


def probe_services(targets: Mapping[int, Target]) -> dict[int, Finding]:
    """Ask services through the guarded client of this deployment."""
    return probe_all(targets, client=configured.from_settings(), within=WITHIN_SECONDS)


def check_services(
    services: Sequence[ImputationService],
    *,
    force: bool = False,
    by: Asker = Asker.USER,
    clock: Clock = timezone.now,
    probe: Probe = probe_services,
    jitter: Callable[[], float] = random.random,
    pause: Callable[[float], None] = time.sleep,
) -> list[Answer]:
    """What is known of each service, after a check where nothing is believed any more.

    Takes 12 seconds at most, whatever the services do. Needs no cache: without one, the rows tell.

    Args:
        services: Read with their `health`.
        force: Whether to check also what is believed; not within 10 seconds of the last check.
        probe: Asks the services.
        pause: Waits some seconds for a check that is under way elsewhere.
    """
    now = clock()
    resting = {service.pk: note for service in services if (note := _reason_to_rest(service))}
    asked = [service for service in services if service.pk not in resting]
    believed = {} if force else queries.known(asked, by=by, now=now)
    wanted = [service for service in asked if service.pk not in believed]
    made = _check(wanted, clock=clock, probe=probe, jitter=jitter)
    missing = [service for service in wanted if service.pk not in made]
    under_way = _wait_for_others(missing, started=now, clock=clock, pause=pause)
    last = queries.last_known(missing)
    return [
        _answer(
            service,
            believed=believed.get(service.pk),
            made=made.get(service.pk),
            last=last.get(service.pk),
            resting=resting.get(service.pk, ""),
            asked_at=now,
            is_under_way=service.pk in under_way,
        )
        for service in services
    ]


def check_due(
    *,
    clock: Clock = timezone.now,
    probe: Probe = probe_services,
    jitter: Callable[[], float] = random.random,
) -> int:
    """Check the active services whose time has come, sixteen at most; tells how many.

    Several at once get different services.
    """
    now = clock()
    active = ImputationService.objects.filter(is_active=True)
    _make_rows(list(active.filter(health__isnull=True).values_list("pk", flat=True)), now=now)
    due = Q(next_check_at__lte=now, service__is_active=True)
    claimed = _claim(ServiceHealth.objects.filter(due), now=now, most=_DUE_AT_ONCE, waits=False)
    found = list(active.filter(pk__in=claimed).order_by("id"))
    return len(_probe_and_keep(found, claimed, clock=clock, probe=probe, jitter=jitter))


def forget_one(service: ImputationService) -> bool:
    """Believe nothing of the service; tells whether something was believed.

    Raises:
        CacheAway: It may still be.
    """
    return cache.forget([service.pk]) > 0


def forget_all(*, user_id: int, origin: Origin, now: datetime) -> int:
    """Believe nothing of any service, and audit that; tells of how many something was believed.

    Raises:
        CacheAway: It may still be.
    """
    forgotten = cache.forget(ImputationService.objects.values_list("pk", flat=True))
    record_audit(
        action="clear_all_cache",
        user_id=user_id,
        resource_type="service",
        details={"cleared": forgotten},
        origin=origin,
        now=now,
    )
    return forgotten


def sweep_checks(*, now: datetime) -> int:
    """Delete checks that are older than 30 days, and of each service all but the newest 5,000."""
    deleted, _ = ServiceCheck.objects.filter(checked_at__lt=now - KEPT_FOR).delete()
    for service_id in ServiceHealth.objects.values_list("pk", flat=True):
        rows = ServiceCheck.objects.filter(service_id=service_id)
        newest = rows.order_by("-checked_at", "-id").values_list("pk", flat=True)
        surplus, _ = rows.filter(pk__in=list(newest[MOST_KEPT:])).delete()
        deleted += surplus
    return deleted


def _reason_to_rest(service: ImputationService) -> str:
    """Why the service is never asked, whoever wants it; '' when it may be."""
    if not service.is_active:
        return _SWITCHED_OFF
    if not settings.BACKGROUND_CHECKS and not is_loopback(service.api_url):
        return _FOREIGN
    return ""


def _check(
    services: Sequence[ImputationService],
    *,
    clock: Clock,
    probe: Probe,
    jitter: Callable[[], float],
) -> dict[int, State]:
    """Check those of the services that nobody else does, and that had their rest."""
    if not services:
        return {}
    now = clock()
    _make_rows([service.pk for service in services], now=now)
    rested = Q(checked_at__isnull=True) | Q(checked_at__lte=now - REST)
    wanted = Q()
    for service in services:
        # One that was given another address was never asked there.
        is_another = ~Q(subject=queries.subject_of(service))
        wanted |= Q(rested | is_another, pk=service.pk)
    rows = ServiceHealth.objects.filter(wanted)
    claimed = _claim(rows, now=now, most=len(services), waits=True)
    mine = [service for service in services if service.pk in claimed]
    return _probe_and_keep(mine, claimed, clock=clock, probe=probe, jitter=jitter)


def _make_rows(service_ids: Collection[int], *, now: datetime) -> None:
    missing = set(service_ids) - set(
        ServiceHealth.objects.filter(pk__in=service_ids).values_list("pk", flat=True)
    )
    ServiceHealth.objects.bulk_create(
        [ServiceHealth(service_id=pk, next_check_at=now) for pk in sorted(missing)],
        ignore_conflicts=True,
    )


@transaction.atomic
def _claim(
    rows: QuerySet[ServiceHealth], *, now: datetime, most: int, waits: bool
) -> dict[int, datetime]:
    """Take the free ones of the rows; tells until when each is ours, which also names the claim.

    Args:
        waits: Whether to see the end of claims that are being made just now, so that a row that is
            not taken is known to be somebody's; otherwise they are left alone.
    """
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    # In one order, so that two who wait never wait for each other.
    order = ("pk",) if waits else ("next_check_at", "pk")
    found = list(
        rows.filter(free)
        .select_for_update(skip_locked=not waits, of=("self",))
        .order_by(*order)
        .values_list("pk", flat=True)[:most]
    )
    until = now + CLAIM_LASTS
    ServiceHealth.objects.filter(pk__in=found).update(claimed_until=until)
    return dict.fromkeys(found, until)


def _probe_and_keep(
    services: Sequence[ImputationService],
    claimed: Mapping[int, datetime],
    *,
    clock: Clock,
    probe: Probe,
    jitter: Callable[[], float],
) -> dict[int, State]:
    before = queries.last_known(services)
    found = probe(
        {s.pk: Target(api_type=s.api_type, api_url=s.api_url) for s in services} if services else {}
    )
    now = clock()
    kept: dict[int, State] = {}
    for service in services:
        finding = found.get(service.pk)
        row = ServiceHealth.objects.filter(pk=service.pk, claimed_until=claimed[service.pk])
        if finding is None:
            row.update(claimed_until=None)
            continue
        state = State.of(
            finding,
            subject=queries.subject_of(service),
            before=before.get(service.pk),
            checked_at=now,
        )
        next_check_at = next_check_after(state.status, now=now, jitter=jitter())
        with transaction.atomic():
            if row.update(**asdict(state), next_check_at=next_check_at, claimed_until=None):
                _note(service, state, before.get(service.pk))
                kept[service.pk] = state
    try:
        cache.write(kept, now=now)
    except cache.CacheAway:
        logger.warning("The cache does not answer: what was found of services is in rows only.")
    return kept


def _note(service: ImputationService, state: State, before: State | None) -> None:
    ServiceCheck.objects.create(
        service_id=service.pk,
        status=state.status,
        response_time_ms=state.response_time_ms,
        checked_at=state.checked_at,
    )
    if before is not None and before.status != state.status:
        logger.warning("Service %s is %s; it was %s.", service.pk, state.status, before.status)


def _wait_for_others(
    services: Sequence[ImputationService],
    *,
    started: datetime,
    clock: Clock,
    pause: Callable[[float], None],
) -> frozenset[int]:
    """Wait until nobody checks these services any more; tells which are still being checked."""
    ids = [service.pk for service in services]
    while ids:
        now = clock()
        held = ServiceHealth.objects.filter(pk__in=ids, claimed_until__gt=now)
        ids = list(held.values_list("pk", flat=True))
        if not ids or now >= started + timedelta(seconds=WITHIN_SECONDS):
            break
        pause(_LOOK_EVERY_SECONDS)
    return frozenset(ids)


def _answer(
    service: ImputationService,
    *,
    believed: State | None,
    made: State | None,
    last: State | None,
    resting: str,
    asked_at: datetime,
    is_under_way: bool,
) -> Answer:
    if resting:
        return Answer(service=service, state=None, is_cached=False, note=resting, is_resting=True)
    if made is not None:
        return Answer(service=service, state=made, is_cached=False)
    if believed is not None:
        return Answer(service=service, state=believed, is_cached=True)
    is_new = last is not None and last.checked_at >= asked_at
    note = "" if is_new else _UNDER_WAY if is_under_way else _RESTED
    return Answer(service=service, state=last, is_cached=not is_new, note=note)
