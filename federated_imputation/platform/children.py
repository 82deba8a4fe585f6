"""The processes that the supervisor keeps running, and how long it waits before each restart."""

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from federated_imputation.platform.records import Failure, ProcessRecord, record_process

__all__ = ["Child", "describe_end", "restart_delay"]

_FIRST_DELAY: Final = 0.5
_LONGEST_DELAY: Final = 30.0
_STABLE_SECONDS: Final = 60.0


def restart_delay(failures: int) -> float:
    """Seconds to wait before the restart after the `failures`-th failure in a row, from 1 on."""
    return min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** min(failures - 1, 10))


def describe_end(status: int) -> str:
    """In words, how a process ended whose `waitpid` status is `status`."""
    if status < 0:
        return f"ended by {signal.Signals(-status).name}"
    return f"ended with exit status {status}"


@dataclass(kw_only=True)
class Child:
    """One process that is meant to run for as long as the platform does.

    Attributes:
        name: As in `logs NAME`.
        launch: Starts it and returns its process id.
        log: Where its output goes.
        stop_signal: Asks it to end.
        grace: Seconds that it gets to end before it is killed.
        pid: None while it is down.
        record: What other commands are told.
        restart_at: Monotonic time of the next attempt, while it is down.
    """

    name: str
    launch: Callable[[], int]
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0
    pid: int | None = None
    record: ProcessRecord = field(init=False)
    restart_at: float | None = None
    _started: float = 0.0
    _failures: int = 0

    def __post_init__(self) -> None:
        self.record = record_process(self.name, None)

    def start(self, *, now: float) -> None:
        """Launch it; whatever `launch` raises is the caller's to note with `failed`."""
        restarts = self.record.restarts + (self.restart_at is not None)
        self.pid = self.launch()
        self._started, self.restart_at = now, None
        self.record = record_process(
            self.name, self.pid, restarts=restarts, failure=self.record.failure
        )

    def failed(self, failure: Failure, *, now: float) -> float:
        """Note that it ended, or could not be started; return the seconds until the next try."""
        if now - self._started > _STABLE_SECONDS and self.pid is not None:
            self._failures = 0
        self._failures += 1
        delay = restart_delay(self._failures)
        self.pid, self.restart_at = None, now + delay
        self.record = record_process(
            self.name, None, restarts=self.record.restarts, failure=failure
        )
        return delay
