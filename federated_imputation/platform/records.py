"""What the supervisor writes down about its processes, for other commands and for the next `up`.

A process id alone proves nothing, since the kernel gives it out again: a record also holds the
boot and the start time of the process, and only a process that matches all of them is ours.
"""

import json
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Literal

from federated_imputation.platform.state import PlatformState, write_private

__all__ = [
    "Failure",
    "Phase",
    "PlatformRecord",
    "ProcessRecord",
    "end_leftovers",
    "forget_record",
    "read_record",
    "record_process",
    "write_record",
]

Phase = Literal["starting", "ready", "stopping"]
_GRACE_SECONDS: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Attributes:
    at: When the process ended, ISO 8601.
    what: How it ended, in words.
    tail: The last lines of its log.
    """

    at: str
    what: str
    tail: str


@dataclass(frozen=True, kw_only=True)
class ProcessRecord:
    """One process as the supervisor last saw it.

    Attributes:
        name: As in `logs NAME`.
        pid: None while it is down.
        identity: Boot and start time of `pid`.
        since: When it was started, seconds since the epoch.
        restarts: How often it was restarted since `up`.
        failure: How it last ended unasked.
    """

    name: str
    pid: int | None
    identity: str = ""
    since: float = 0.0
    restarts: int = 0
    failure: Failure | None = None

    @property
    def is_alive(self) -> bool:
        return self.pid is not None and _identity(self.pid) == self.identity != ""


@dataclass(frozen=True, kw_only=True)
class PlatformRecord:
    phase: Phase
    supervisor: ProcessRecord
    processes: tuple[ProcessRecord, ...] = field(default=())

    def process(self, name: str) -> ProcessRecord | None:
        return next((process for process in self.processes if process.name == name), None)


def record_process(
    name: str, pid: int | None, *, restarts: int = 0, failure: Failure | None = None
) -> ProcessRecord:
    """The record of a process that was just started."""
    return ProcessRecord(
        name=name,
        pid=pid,
        identity=_identity(pid) if pid is not None else "",
        since=time.time(),
        restarts=restarts,
        failure=failure,
    )


def write_record(state: PlatformState, record: PlatformRecord) -> None:
    write_private(_path(state), json.dumps(asdict(record), indent=1))


def read_record(state: PlatformState) -> PlatformRecord | None:
    """The last record, or None when there is none; its processes may have ended since."""
    try:
        content = json.loads(_path(state).read_text())
    except FileNotFoundError:
        return None
    return PlatformRecord(
        phase=content["phase"],
        supervisor=_process(content["supervisor"]),
        processes=tuple(_process(process) for process in content["processes"]),
    )


def forget_record(state: PlatformState) -> None:
    """Nothing of the platform runs any more."""
    _path(state).unlink(missing_ok=True)


def end_leftovers(state: PlatformState) -> None:
    """End what a killed supervisor left behind, and forget it. The caller holds the lock.

    The kernel has already signalled them when the supervisor died; this waits for the slow ones
    (PostgreSQL writes its checkpoint) and kills those that do not end.
    """
    record = read_record(state)
    if record is None:
        return
    left = _alive(record.processes)
    for process in left:
        _signal(process, signal.SIGINT if process.name == "postgres" else signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_SECONDS
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = _alive(left)
    for process in left:
        _signal(process, signal.SIGKILL)
    forget_record(state)


def _alive(processes: Iterable[ProcessRecord]) -> list[ProcessRecord]:
    return [process for process in processes if process.is_alive]


def _signal(process: ProcessRecord, number: signal.Signals) -> None:
    if process.pid is not None:
        with suppress(ProcessLookupError):  # it ended meanwhile
            os.kill(process.pid, number)


def _identity(pid: int) -> str:
    """Boot and start time of a process; empty when it has ended or is a zombie."""
    try:
        # The name in brackets may hold anything; the fields after it may not.
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    if fields[0] in "ZX":
        return ""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{fields[19]}"


def _process(content: dict[str, object]) -> ProcessRecord:
    failure = content.pop("failure")
    return ProcessRecord(
        **content,  # type: ignore[arg-type]
        failure=Failure(**failure) if isinstance(failure, dict) else None,
    )


def _path(state: PlatformState) -> Path:
    return state.root / "processes.json"
