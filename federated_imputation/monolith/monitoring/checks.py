"""What of the machine, the database and the cache is well. Plain decisions, and where they start.

A machine above a threshold still serves, so that it is **degraded**; without its database or its
cache it is **unhealthy**.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

__all__ = ["THRESHOLDS", "Check", "Level", "judged", "overall"]

THRESHOLDS: Final[Mapping[str, float]] = MappingProxyType(
    {"cpu": 80, "memory": 85, "disk": 90, "database_connections": 50}
)


class Level(StrEnum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        value: What was measured; `None` when nothing could be, or when it is no number.
        threshold: Above which it is degraded; `None` when it is no number.
    """

    status: Level
    value: float | None = None
    threshold: float | None = None


def judged(measured: Mapping[str, float | None], *, away: frozenset[str]) -> dict[str, Check]:
    """A check for each threshold, and for the database and the cache.

    Args:
        measured: By name of the threshold; a value that is missing or `None` is not known.
        away: Of `database` and `cache`, those that do not answer.
    """
    checks = {
        name: Check(
            status=_level(measured.get(name), limit), value=measured.get(name), threshold=limit
        )
        for name, limit in THRESHOLDS.items()
    }
    for name in ("database", "cache"):
        checks[name] = Check(status=Level.UNHEALTHY if name in away else Level.HEALTHY)
    return checks


def overall(checks: Mapping[str, Check]) -> Level:
    """The worst of the checks; what is not known counts as well."""
    found = {check.status for check in checks.values()}
    if Level.UNHEALTHY in found:
        return Level.UNHEALTHY
    return Level.DEGRADED if Level.DEGRADED in found else Level.HEALTHY


def _level(value: float | None, limit: float) -> Level:
    if value is None:
        return Level.UNKNOWN
    return Level.DEGRADED if value > limit else Level.HEALTHY
