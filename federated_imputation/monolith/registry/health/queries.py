"""Reads about the health of services; none of them calls a service."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Avg, Count, Q, QuerySet

from apps.federation.probing import Status
from federated_imputation.monolith.registry.health import cache
from federated_imputation.monolith.registry.health.models import ServiceCheck, ServiceHealth
from federated_imputation.monolith.registry.health.states import (
    Asker,
    State,
    is_believed,
)
from federated_imputation.monolith.registry.models import ImputationService
from federated_imputation.monolith.registry.presentation import public_url

__all__ = [
    "Past",
    "known",
    "last_known",
    "past_of",
    "shown_status",
    "state_of_row",
    "subject_of",
    "watched",
]

# More than these are told in another answer than `health_all`.
_MOST: Final = 200


@dataclass(frozen=True, kw_only=True)
class Past:
    """The checks of a service in some time.

    Attributes:
        uptime: Per cent of the checks that found it up.
        response_time_ms: The mean of those that were answered; `None` without any.
    """

    checks: int
    uptime: float
    response_time_ms: float | None


def subject_of(service: ImputationService) -> str:
    """What a check of the service is about; a check of something else says nothing of it."""
    return f"{service.api_type} {public_url(service.api_url)}"


def watched() -> QuerySet[ImputationService]:
    """The active services by id, at most 200, each with its `health` and `standing`."""
    found = ImputationService.objects.filter(is_active=True)
    return found.select_related("health", "standing").order_by("id")[:_MOST]


def state_of_row(row: ServiceHealth) -> State | None:
    """What the row tells; `None` when there was no check."""
    if row.checked_at is None or row.since is None:
        return None
    return State(
        subject=row.subject,
        status=row.status,
        message=row.message,
        test_url=row.test_url,
        response_time_ms=row.response_time_ms,
        error=row.error,
        checked_at=row.checked_at,
        since=row.since,
    )


def shown_status(service: ImputationService) -> str:
    """The last known status of a service that was read with its `health`; '' when it has none.

    No query, no call.
    """
    row: ServiceHealth | None = getattr(service, "health", None)
    return row.status if row is not None and row.subject == subject_of(service) else ""


def last_known(services: Collection[ImputationService]) -> dict[int, State]:
    """What the rows tell of the services, however old it is."""
    rows = ServiceHealth.objects.filter(pk__in=[service.pk for service in services])
    states = {row.pk: state_of_row(row) for row in rows}
    return _own(states, services)


def known(services: Collection[ImputationService], *, by: Asker, now: datetime) -> dict[int, State]:
    """What is still believed of the services; by the rows, while the cache does not answer."""
    if not services:
        return {}
    try:
        states: Mapping[int, State | None] = cache.read([service.pk for service in services])
    except cache.CacheAway:
        states = last_known(services)
    own = _own(states, services)
    return {pk: state for pk, state in own.items() if is_believed(state, by=by, now=now)}


def past_of(services: Collection[ImputationService], *, since: datetime) -> dict[int, Past]:
    """How the checks since then went, by service; a service without any is not there."""
    found = ServiceCheck.objects.filter(
        service_id__in=[service.pk for service in services], checked_at__gte=since
    ).values("service_id")
    counted = found.annotate(
        number=Count("id"),
        up=Count("id", filter=Q(status=Status.HEALTHY)),
        mean=Avg("response_time_ms"),
    ).order_by("service_id")
    return {
        row["service_id"]: Past(
            checks=row["number"],
            uptime=round(100 * row["up"] / row["number"], 2),
            response_time_ms=None if row["mean"] is None else round(row["mean"], 1),
        )
        for row in counted
    }


def _own(
    states: Mapping[int, State | None], services: Collection[ImputationService]
) -> dict[int, State]:
    """Those states that are about the address that the service has now."""
    subjects = {service.pk: subject_of(service) for service in services}
    return {
        pk: state
        for pk, state in states.items()
        if state is not None and state.subject == subjects.get(pk)
    }
