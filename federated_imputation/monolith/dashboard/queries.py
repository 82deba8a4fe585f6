"""The dashboard's numbers, from the queries of the other domains."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from federated_imputation.monolith.accounts.queries import Rights, count_accessible_services
from federated_imputation.monolith.jobs.queries import count_jobs_by_status, recent_jobs
from federated_imputation.monolith.registry.queries import (
    count_active_services,
    services_with_panels,
)

if TYPE_CHECKING:
    from federated_imputation.monolith.jobs.models import ImputationJob

__all__ = ["NOTHING_KNOWN", "ServiceOverview", "Stats", "overview_services", "stats"]

_RECENT = 5
_RUNNING = ("pending", "queued", "running")


@dataclass(frozen=True, kw_only=True)
class Stats:
    """What one person is told: of everybody's jobs who may see them all, else of the own ones.

    Attributes:
        running: Pending, queued and running together.
        success_rate: Completed per 100 jobs of any status, two decimals; 0 without jobs.
        available_services: Active services.
        accessible_services: Those of them that the person was given access to.
        recent_jobs: At most five, newest first.
    """

    total: int = 0
    completed: int = 0
    running: int = 0
    failed: int = 0
    success_rate: float = 0.0
    available_services: int
    accessible_services: int = 0
    recent_jobs: Sequence["ImputationJob"] = ()


NOTHING_KNOWN: Final = Stats(available_services=0)


@dataclass(frozen=True, kw_only=True)
class ServiceOverview:
    """What one active service offers; populations and builds sorted, each once."""

    id: int
    name: str
    service_type: str
    api_type: str
    location: str
    continent: str
    populations: list[str]
    builds: list[str]
    reference_panels_count: int


def stats(by: Rights) -> Stats:
    """The caller's numbers; who is anonymous is told of no jobs."""
    available = count_active_services()
    if by.user_id is None:
        return Stats(available_services=available)
    counts = count_jobs_by_status(by)
    total = counts.total()
    return Stats(
        total=total,
        completed=counts["completed"],
        running=sum(counts[status] for status in _RUNNING),
        failed=counts["failed"],
        success_rate=round(100 * counts["completed"] / total, 2) if total else 0.0,
        available_services=available,
        accessible_services=count_accessible_services(user_id=by.user_id),
        recent_jobs=list(recent_jobs(by, limit=_RECENT)),
    )


def overview_services() -> list[ServiceOverview]:
    """Active services by id, in two statements however many there are."""
    return [
        ServiceOverview(
            id=service.pk,
            name=service.name,
            service_type=service.service_type,
            api_type=service.api_type,
            location=service.location,
            continent=service.continent,
            populations=sorted({panel.population for panel in panels if panel.population}),
            builds=sorted({panel.build for panel in panels if panel.build}),
            reference_panels_count=len(panels),
        )
        for service in services_with_panels()
        for panels in [list(service.reference_panels.all())]
    ]
