"""What monitoring tells: of the machine, of the database, of services.

Nothing here takes long: a statement that does is given up after a second.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import DatabaseError, connection, transaction

from apps.shared.health.checks import failing_dependencies
from federated_imputation.monolith.monitoring.checks import Check, judged
from federated_imputation.monolith.monitoring.machine import Machine, look
from federated_imputation.monolith.registry.health.queries import Past, past_of, watched

if TYPE_CHECKING:
    from federated_imputation.monolith.registry.models import ImputationService

__all__ = [
    "Database",
    "ServiceSummary",
    "checks_now",
    "database_now",
    "machine_now",
    "services_now",
]

_STATEMENT_MILLISECONDS: Final = 1000
_PAST: Final = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Database:
    """What PostgreSQL says of our database.

    Attributes:
        connections: Of all processes.
        active_connections: Those that run a statement now.
        most_connections: That the server takes.
    """

    size: int
    connections: int
    active_connections: int
    most_connections: int


@dataclass(frozen=True, kw_only=True)
class ServiceSummary:
    """An active service, and how its checks of the last 24 hours went; `None` without any."""

    service: "ImputationService"
    past: Past | None


def machine_now() -> Machine:
    return look(folder=Path(settings.DATA_ROOT))


def database_now() -> Database | None:
    """`None` when the database does not answer, or not within a second."""
    sizes = "pg_database_size(current_database()), current_setting('max_connections')::int"
    row = _within_a_second(f"SELECT {sizes}, {_CONNECTIONS}")
    if row is None:
        return None
    size, most, connections, active = row
    return Database(
        size=size, connections=connections, active_connections=active, most_connections=most
    )


def checks_now(*, machine: Callable[[], Machine] = machine_now) -> dict[str, Check]:
    """How everything that the platform stands on is now, by name."""
    away = frozenset(failing_dependencies())
    row = None if "database" in away else _within_a_second(f"SELECT {_CONNECTIONS}")
    seen = machine()
    measured = {
        "cpu": seen.cpu_percent,
        "memory": seen.memory_percent,
        "disk": seen.disk_percent,
        "database_connections": None if row is None else float(row[0]),
    }
    return judged(measured, away=away)


def services_now(*, now: datetime) -> list[ServiceSummary]:
    """The active services by id."""
    services = list(watched())
    past = past_of(services, since=now - _PAST)
    return [ServiceSummary(service=each, past=past.get(each.pk)) for each in services]


_CONNECTIONS: Final = (
    "(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()), "
    "(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND state = 'active')"
)


def _within_a_second(statement: str) -> tuple[int, ...] | None:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = %s", [_STATEMENT_MILLISECONDS])
            cursor.execute(statement)
            row: tuple[int, ...] | None = cursor.fetchone()
            return row
    except DatabaseError:
        return None
