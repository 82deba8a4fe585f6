"""Whether a deployment works, told from outside as its users see it."""

import http.client
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from federated_imputation.platform.layout import HOST

__all__ = ["Health", "ProcessHealth", "has_heartbeat", "is_ready", "overall", "process_health"]

Health = Literal["healthy", "starting", "unhealthy", "stopped"]
_PROBE_SECONDS: Final = 3.0
_STALE_SECONDS: Final = 15.0
_START_SECONDS: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class ProcessHealth:
    """What is known about one process.

    Attributes:
        is_alive: It runs.
        is_working: It does what it is for: answers, beats.
        age: Seconds since it was started.
    """

    is_alive: bool
    is_working: bool
    age: float


def process_health(process: ProcessHealth) -> Health:
    """One process; one that is down while the platform runs is unhealthy, not stopped."""
    if process.is_alive and process.is_working:
        return "healthy"
    if process.is_alive and process.age < _START_SECONDS:
        return "starting"
    return "unhealthy"


def overall(parts: Iterable[Health]) -> Health:
    """A deployment is as healthy as the worst of its processes."""
    order: tuple[Health, ...] = ("stopped", "unhealthy", "starting", "healthy")
    return min(parts, key=order.index, default="stopped")


def is_ready(port: int) -> bool:
    """Whether `/readyz` says that the process and what it depends on answer."""
    connection = http.client.HTTPConnection(HOST, port, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def has_heartbeat(path: Path, *, continuous: bool, now: float) -> bool:
    """Whether a process has shown that it works; a `continuous` one within the last 15 seconds."""
    try:
        touched = path.stat().st_mtime
    except FileNotFoundError:
        return False
    return not continuous or now - touched < _STALE_SECONDS
