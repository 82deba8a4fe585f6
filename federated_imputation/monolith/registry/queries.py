"""Reads of the registry domain: services, reference panels, what is shown of them, how they
are reached and how they stand.
"""

from collections.abc import Collection, Mapping
from typing import Final

from django.db.models import Count, Max, Prefetch, Q, QuerySet

from federated_imputation.monolith.deletions.queries import being_deleted
from federated_imputation.monolith.registry.clients import connect, is_supported
from federated_imputation.monolith.registry.models import (
    ImputationService,
    ReferencePanel,
    ServiceSync,
)
from federated_imputation.monolith.registry.standing import standing_of

__all__ = [
    "UNDER_WAY",
    "ApiType",
    "ServiceType",
    "UnknownPanel",
    "UnknownService",
    "connect",
    "count_active_services",
    "count_jobs_under_way",
    "get_panel",
    "get_service",
    "is_supported",
    "largest_upload_mb",
    "panel_ids",
    "panels",
    "panels_by_id",
    "services",
    "services_for_operators",
    "services_with_panels",
    "standing_of",
    "sync_of",
]

ApiType = ImputationService.ApiType
ServiceType = ImputationService.ServiceType
# How a job stands that is not over.
UNDER_WAY: Final = ("pending", "queued", "running")


class UnknownService(LookupError):
    """There is no service with this id."""


class UnknownPanel(LookupError):
    """There is no reference panel with this id."""


def services(
    *,
    is_active: bool | None = True,
    among: Collection[int] | None = None,
    service_type: str = "",
    api_type: str = "",
    continent: str = "",
    search: str = "",
) -> QuerySet[ImputationService]:
    """Services by id with `standing`, `health` and `reference_panels_count`, their active panels.

    Args:
        is_active: `None` for both.
        among: Only of these ids; `None` for all.
        service_type: Exactly this one; '' for all.
        api_type: Exactly this one; '' for all.
        continent: Exactly this one, in any case; '' for all.
        search: A part of name, description, location or continent, in any case.
    """
    found = (
        _shown_services()
        .select_related("standing", "health")
        .annotate(
            reference_panels_count=Count(
                "reference_panels", filter=Q(reference_panels__is_active=True)
            )
        )
    )
    if is_active is not None:
        found = found.filter(is_active=is_active)
    if among is not None:
        found = found.filter(pk__in=among)
    if service_type:
        found = found.filter(service_type=service_type)
    if api_type:
        found = found.filter(api_type=api_type)
    if continent:
        found = found.filter(continent__iexact=continent)
    if search:
        found = found.filter(
            Q(name__icontains=search)
            | Q(description__icontains=search)
            | Q(location__icontains=search)
            | Q(continent__icontains=search)
        )
    return found.order_by("id")


def largest_upload_mb() -> int:
    """Megabytes that the most generous active service accepts; 0 when none is active."""
    active = ImputationService.objects.filter(is_active=True)
    return active.aggregate(most=Max("max_file_size_mb"))["most"] or 0


def get_service(*, service_id: int) -> ImputationService:
    """The service, active or not, with `reference_panels_count`.

    Raises:
        UnknownService: There is none.
    """
    service = services(is_active=None).filter(pk=service_id).first()
    if service is None:
        raise UnknownService(service_id)
    return service


def sync_of(*, service_id: int) -> ServiceSync:
    """When the panels of a service were synchronised; an unsaved row when they never were."""
    found = ServiceSync.objects.filter(service_id=service_id).first()
    return found or ServiceSync(
        service_id=service_id, outcome="", added=0, changed=0, withdrawn=0, message=""
    )


def services_with_panels() -> QuerySet[ImputationService]:
    """Active services by id, with their active panels prefetched."""
    return (
        ImputationService.objects.filter(is_active=True)
        .prefetch_related(Prefetch("reference_panels", queryset=_active_panels()))
        .order_by("id")
    )


def count_active_services() -> int:
    return ImputationService.objects.filter(is_active=True).count()


def count_jobs_under_way(*, service_id: int) -> int:
    """How many jobs of the service are not over."""
    return ImputationService.objects.filter(pk=service_id, jobs__status__in=UNDER_WAY).count()


def services_for_operators() -> QuerySet[ImputationService]:
    """All services with what `services` tells, `sync`, and `retired_panels_count`."""
    retired = Q(reference_panels__withdrawn_at__isnull=False)
    return (
        services(is_active=None)
        .select_related("sync")
        .annotate(retired_panels_count=Count("reference_panels", filter=retired))
    )


def panels(
    *, service_id: int | None = None, population: str = "", build: str = ""
) -> QuerySet[ReferencePanel]:
    """Active panels by id, with their service.

    Args:
        service_id: Only of this service; `None` for all.
        population: A part of the population's name, in any case.
        build: Exactly this one; '' for all.
    """
    found = _active_panels().select_related("service")
    if service_id is not None:
        found = found.filter(service_id=service_id)
    if population:
        found = found.filter(population__icontains=population)
    if build:
        found = found.filter(build=build)
    return found


def get_panel(*, panel_id: int) -> ReferencePanel:
    """The panel, active or not, with its service.

    Raises:
        UnknownPanel: There is none.
    """
    panel = _shown_panels().select_related("service").filter(pk=panel_id).first()
    if panel is None:
        raise UnknownPanel(panel_id)
    return panel


def panel_ids(*, service_id: int) -> list[int]:
    """Ids of all panels of a service, active or not."""
    return list(ReferencePanel.objects.filter(service_id=service_id).values_list("pk", flat=True))


def panels_by_id(*, panel_ids: Collection[int]) -> Mapping[int, ReferencePanel]:
    """Those of the panels that are there, active or not, with their services."""
    return _shown_panels().select_related("service").in_bulk(list(panel_ids))


def _active_panels() -> QuerySet[ReferencePanel]:
    return _shown_panels().filter(is_active=True).order_by("id")


def _shown_services() -> QuerySet[ImputationService]:
    return ImputationService.objects.filter(~being_deleted(service="id"))


def _shown_panels() -> QuerySet[ReferencePanel]:
    return ReferencePanel.objects.filter(~being_deleted(panel="id", service="service_id"))
