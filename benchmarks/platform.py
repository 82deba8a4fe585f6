"""The embedded platform: how long it takes to start, and how much memory it keeps.

Memory is the proportional set size (PSS, Linux `smaps_rollup`), in which pages that processes
share, as those forked from the zygote do, count once in all.
"""

import time
from collections import defaultdict
from pathlib import Path
from typing import Final

from benchmarks import Row
from federated_imputation.platform.records import PlatformRecord, read_record
from federated_imputation.platform.state import CHECKOUT, PlatformState
from tests.platforms import OwnPlatform, own_platform

__all__ = ["run"]

_WARM_BAR_SECONDS: Final = 8.0
_MEMORY_BAR_MB: Final = 600.0
_SETTLING_SECONDS: Final = 10.0


def run() -> list[Row]:
    """Start a platform of its own twice, the second time on data that are there.

    Returns:
        Seconds of the cold and of the warm start, from the command to all healthy and seeded;
        megabytes of the idle platform in all, then by process.
    """
    with own_platform() as platform:
        cold = _seconds_up(platform)
        platform.manage("down", seconds=120)
        warm = _seconds_up(platform)
        time.sleep(_SETTLING_SECONDS)  # idle is what is measured
        record = read_record(PlatformState(CHECKOUT / platform.environment["PLATFORM_STATE"]))
        assert record is not None
        by_process = _memory(record)
    total = sum(by_process.values())
    return [
        Row(figure="first start", value=cold, unit="s", note="databases and panels are made"),
        Row(
            figure="warm start to all healthy",
            value=warm,
            unit="s",
            bar=f"≤ {_WARM_BAR_SECONDS:.0f} s",
            holds=warm <= _WARM_BAR_SECONDS,
        ),
        Row(
            figure="idle platform, PSS",
            value=total,
            unit="MB",
            bar=f"≤ {_MEMORY_BAR_MB:.0f} MB",
            holds=total <= _MEMORY_BAR_MB,
        ),
        *(
            Row(figure=f"of it {name}", value=megabytes, unit="MB")
            for name, megabytes in sorted(by_process.items(), key=lambda item: -item[1])
        ),
    ]


def _seconds_up(platform: OwnPlatform) -> float:
    began = time.perf_counter()
    platform.up()
    return time.perf_counter() - began


def _memory(record: PlatformRecord) -> dict[str, float]:
    """Megabytes of each process, its own children included."""
    processes = (record.supervisor, *record.processes)
    names = {process.pid: process.name for process in processes if process.pid is not None}
    parents = _parents()
    megabytes: defaultdict[str, float] = defaultdict(float)
    for pid in parents:
        ancestor: int | None = pid
        while ancestor is not None and ancestor not in names:
            ancestor = parents.get(ancestor)
        if ancestor is not None:
            megabytes[names[ancestor]] += _pss(pid)
    return dict(megabytes)


def _parents() -> dict[int, int]:
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int(
                (folder / "stat").read_text().rpartition(")")[2].split()[1]
            )
        except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            continue
    return parents


def _pss(pid: int) -> float:
    """Megabytes (10⁶ bytes) of one process; 0 for one that has ended meanwhile."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6
