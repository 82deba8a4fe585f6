"""Keeps processes running: starts them, restarts what ends, stops them in reverse order.

Its phases: *starting*, in which the end of any process is a failure; *ready*, in which whatever
ends is started again, later and later if it keeps ending; *stopping*. Every change is written to
`processes.json`. It has one thread, and sleeps until a signal comes: SIGTERM (stop), SIGUSR1 (do
not wait with what is to be restarted), SIGCHLD (a process has ended).
"""

import ctypes
import logging
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from federated_imputation.platform.children import Child, describe_end
from federated_imputation.platform.logs import last_lines
from federated_imputation.platform.records import (
    Failure,
    Phase,
    PlatformRecord,
    forget_record,
    record_process,
    write_record,
)
from federated_imputation.platform.state import PlatformState
from federated_imputation.platform.stores import StoreError
from federated_imputation.platform.zygote import ZygoteGone

__all__ = ["Keeper", "StartFailed", "StopRequested"]

logger = logging.getLogger("supervisor")

_PR_SET_CHILD_SUBREAPER: Final = 36
_KILL_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.1
_RECORD_SECONDS: Final = 5.0  # to the next attempt to write a record that found no room
_TAIL_LINES: Final = 20


class StartFailed(Exception):
    """Something needed did not come up; the message holds the tail of its log."""


class StopRequested(Exception):
    """SIGTERM came."""


class Keeper:
    """All processes of one platform. Becomes their reaper, whoever forked them."""

    def __init__(self, *, state: PlatformState) -> None:
        self._state = state
        self._children: list[Child] = []  # in the order in which they are started
        self._jobs: dict[int, int | None] = {}  # exit status by process id
        self._phase: Phase = "starting"
        self._stop_requested = False
        self._restart_requested = False
        self._is_record_old = False
        self._self = record_process("supervisor", os.getpid())
        self._wakeup, self._signalled = socket.socketpair()
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._listen_to_signals()

    def enter(self, phase: Phase) -> None:
        self._phase = phase
        logger.info("The platform is %s", phase)
        self._write_record()

    def add(
        self,
        name: str,
        launch: Callable[[], int],
        *,
        stop: signal.Signals = signal.SIGTERM,
        grace: float = 10.0,
    ) -> None:
        """Start a process that is to run for as long as the platform does.

        Args:
            name: Names its log and its record.
            launch: Starts it and returns its process id.
            stop: Signal that asks it to end.
            grace: Seconds that it then gets before it is killed.
        """
        child = Child(
            name=name, launch=launch, log=self._state.log(name), stop_signal=stop, grace=grace
        )
        child.start(now=time.monotonic())
        self._children.append(child)
        self._write_record()

    def wait_until(
        self, holds: Callable[[], bool], *, seconds: float, what: str, log: Path
    ) -> None:
        """Ask `holds` again and again.

        Raises:
            StartFailed: It did not hold in time, or a process ended.
            StopRequested: SIGTERM came.
        """
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                raise StartFailed(f"{what} is not ready after {seconds:.0f} s.\n{self.tail(log)}")
            self._pause(_LOOK_SECONDS)

    def wait_for_jobs(self, jobs: Iterable[tuple[str, int]], *, seconds: float) -> None:
        """Wait until processes that were started to do one thing have done it.

        Args:
            jobs: Name and process id of each.
            seconds: For all together.

        Raises:
            StartFailed: One ended with another status than 0, or took too long.
            StopRequested: SIGTERM came.
        """
        running = {pid: name for name, pid in jobs}
        self._jobs |= dict.fromkeys(running)
        deadline = time.monotonic() + seconds
        while running:
            self._pause(deadline - time.monotonic())
            for pid, name in list(running.items()):
                status = self._jobs[pid]
                if status == 0:
                    del running[pid], self._jobs[pid]
                elif status is not None or time.monotonic() > deadline:
                    what = "took too long" if status is None else describe_end(status)
                    raise StartFailed(f"{name} {what}.\n{self.tail(self._state.log(name))}")

    def keep(self) -> None:
        """Restart whatever ends, until SIGTERM."""
        with suppress(StopRequested):
            while True:
                self._start_what_is_due()
                if self._is_record_old:
                    self._write_record()
                self._pause(self._seconds_until_due())

    def stop(self) -> None:
        """End everything in reverse order, politely, then not."""
        self.enter("stopping")
        for pid, status in self._jobs.items():
            if status is None:
                os.kill(pid, signal.SIGKILL)
        for child in reversed(self._children):
            if child.pid is not None:
                self._end(child)
        forget_record(self._state)
        logger.info("The platform is stopped")

    @staticmethod
    def tail(log: Path) -> str:
        """The last lines of a log, for people."""
        return last_lines(log, _TAIL_LINES) or f"({log.name} is empty)"

    def _start_what_is_due(self) -> None:
        now = time.monotonic()
        at_once, self._restart_requested = self._restart_requested, False
        for child in self._children:
            if child.restart_at is not None and (at_once or child.restart_at <= now):
                try:
                    child.start(now=now)
                    logger.info("%s is running again, process %d", child.name, child.pid)
                except (OSError, StoreError, ZygoteGone) as error:
                    self._note_failure(child, f"could not be started: {error}")
                self._write_record()

    def _seconds_until_due(self) -> float | None:
        due = [child.restart_at for child in self._children if child.restart_at is not None]
        if self._is_record_old:
            due.append(time.monotonic() + _RECORD_SECONDS)
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _note_failure(self, child: Child, what: str) -> None:
        tail = self.tail(child.log)
        at = datetime.now(UTC).isoformat(timespec="seconds")
        delay = child.failed(Failure(at=at, what=what, tail=tail), now=time.monotonic())
        logger.warning(
            "%s %s; it is started again in %.1f s. Its log ends:\n%s", child.name, what, delay, tail
        )

    def _reap(self) -> None:
        """Take note of every process that has ended, orphans of our children included."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            if pid in self._jobs:
                self._jobs[pid] = code
            for child in self._children:
                if child.pid == pid:
                    self._note_end(child, code)

    def _note_end(self, child: Child, code: int) -> None:
        if self._phase == "stopping":
            child.pid = None
            return
        self._note_failure(child, describe_end(code))
        self._write_record()
        if self._phase == "starting":
            raise StartFailed(f"{child.name} {describe_end(code)}.\n{self.tail(child.log)}")

    def _end(self, child: Child) -> None:
        for number, seconds in (
            (child.stop_signal, child.grace),
            (signal.SIGKILL, _KILL_SECONDS),
        ):
            if child.pid is not None:
                os.kill(child.pid, number)
            deadline = time.monotonic() + seconds
            while child.pid is not None and time.monotonic() < deadline:
                self._sleep(deadline - time.monotonic())
                self._reap()
            if child.pid is None:
                return
            logger.warning("%s did not end on %s", child.name, number.name)

    def _write_record(self) -> None:
        record = PlatformRecord(
            phase=self._phase,
            supervisor=self._self,
            processes=tuple(child.record for child in self._children),
        )
        try:
            write_record(self._state, record)
        except OSError as error:
            # A full disk must not end what runs on it. `status` tells what was written last.
            if self._phase == "starting":
                raise
            logger.error("processes.json could not be written: %s", error)
            self._is_record_old = True
        else:
            self._is_record_old = False

    def _listen_to_signals(self) -> None:
        self._wakeup.setblocking(False)
        self._signalled.setblocking(False)
        signal.set_wakeup_fd(self._signalled.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._request_stop)
        signal.signal(signal.SIGUSR1, self._request_restart)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only wakes the loop
        for ignored in (signal.SIGINT, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)

    def _request_stop(self, *_: object) -> None:
        self._stop_requested = True

    def _request_restart(self, *_: object) -> None:
        self._restart_requested = True

    def _pause(self, seconds: float | None) -> None:
        if not self._stop_requested:
            self._sleep(seconds)
        self._reap()
        if self._stop_requested:
            raise StopRequested

    def _sleep(self, seconds: float | None) -> None:
        """Sleep until a signal comes, a child's end included, at most `seconds`."""
        select.select([self._wakeup], [], [], None if seconds is None else max(0.0, seconds))
        with suppress(BlockingIOError):
            self._wakeup.recv(4096)
