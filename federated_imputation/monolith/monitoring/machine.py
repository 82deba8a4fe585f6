"""How busy this machine is. Nothing here waits."""

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

__all__ = ["CpuMeter", "Machine", "look"]

_SHORTEST_SECONDS: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What one look saw; sizes in bytes, shares in per cent.

    Attributes:
        cpu_percent: Of all cores, since about the look before; `None` at the first.
        disk_total, disk_free, disk_percent: Of the file system that holds the stored files.
    """

    cpu_count: int
    cpu_percent: float | None
    memory_total: int
    memory_available: int
    memory_percent: float
    disk_total: int
    disk_free: int
    disk_percent: float


def _cpu_seconds() -> tuple[float, float]:
    """Seconds that all cores were busy, and all that passed."""
    times = psutil.cpu_times()
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return total - times.idle - getattr(times, "iowait", 0.0), total


class CpuMeter:
    """Tells the share of the cores that was busy between two looks. Safe to share between threads.

    A look within a second of the one before is told the same, so that who looks all the time does
    not see noise.
    """

    def __init__(
        self,
        *,
        read: Callable[[], tuple[float, float]] = _cpu_seconds,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._at = clock()
        self._before = read()
        self._percent: float | None = None

    def percent(self) -> float | None:
        """Per cent since the look before; `None` in the first second."""
        with self._lock:
            now = self._clock()
            if now - self._at >= _SHORTEST_SECONDS:
                busy, total = self._read()
                passed = total - self._before[1]
                if passed > 0:
                    share = 100 * (busy - self._before[0]) / passed
                    self._percent = round(min(max(share, 0.0), 100.0), 1)
                self._at, self._before = now, (busy, total)
            return self._percent


_METER: Final = CpuMeter()


def look(*, folder: Path, meter: CpuMeter = _METER) -> Machine:
    """How busy this machine is now.

    Args:
        folder: Where files are stored; the nearest that exists above it counts.
    """
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    memory, disk = psutil.virtual_memory(), shutil.disk_usage(there)
    return Machine(
        cpu_count=psutil.cpu_count() or 1,
        cpu_percent=meter.percent(),
        memory_total=memory.total,
        memory_available=memory.available,
        memory_percent=memory.percent,
        disk_total=disk.total,
        disk_free=disk.free,
        disk_percent=round(100 * (disk.total - disk.free) / disk.total, 1),
    )
