"""Bringing the platform up and down from a command: the supervisor's other half."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, Final

from federated_imputation.platform.environment import (
    is_setting,
    read_environment,
    write_environments,
)
from federated_imputation.platform.layout import Layout, refuse_taken_ports
from federated_imputation.platform.logs import last_lines, open_log
from federated_imputation.platform.records import PlatformRecord, end_leftovers, read_record
from federated_imputation.platform.state import CHECKOUT, PlatformState, write_private
from federated_imputation.platform.status import as_table, read_status

__all__ = ["PlatformError", "bring_down", "bring_up"]

_HOLDS: Final = ("qc", "imputation", "export")
_OTHERS_SECONDS: Final = 180.0
_HEALTHY_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.05


class PlatformError(Exception):
    """The platform could not be brought up or down; the message says why."""


def bring_up(
    state: PlatformState,
    layout: Layout,
    *,
    given: Mapping[str, str],
    tell: Callable[[str], None],
) -> None:
    """Return when every deployment is healthy, starting the platform if it does not run.

    Args:
        state: Created if it is not there.
        layout: What runs where.
        given: Environment of the command; `NODE_HOLD` is applied to a running platform too.
        tell: Called with one line per phase.

    Raises:
        PlatformError: It could not be started, with the tail of the log of what failed, and
            nothing is left running; or it runs with other settings than given.
        LayoutError: A port is in use by another program; nothing was started.
    """
    hold = given.get("NODE_HOLD", "").strip()
    if hold and hold not in _HOLDS:
        raise PlatformError(f"NODE_HOLD is {hold!r}; it must be {', '.join(_HOLDS)} or unset.")
    state.create()
    if hold:
        write_private(state.node_hold, hold + "\n")
    else:
        state.node_hold.unlink(missing_ok=True)
    lock = _lock_or_running(state)
    if lock is None:
        _refuse_other_settings(state, layout, given)
        _wait_until_healthy(state, layout)
        return
    try:
        end_leftovers(state)
        refuse_taken_ports(layout)
        state.remember_port_offset(layout.offset)
        write_environments(state, layout, given=given)
        _run_supervisor(state, lock, tell=tell)
    except ValueError as error:  # a variable that cannot be written down
        raise PlatformError(str(error)) from error
    finally:
        os.close(lock)


def bring_down(state: PlatformState) -> bool:
    """Stop everything, in reverse order; return whether it was running.

    Raises:
        PlatformError: It does not stop.
    """
    was_running = False
    deadline = time.monotonic() + _OTHERS_SECONDS
    while (lock := state.lock()) is None:
        record = read_record(state)
        if record is not None and record.supervisor.is_alive and not was_running:
            _terminate(record)
            was_running = True
        if time.monotonic() > deadline:
            raise PlatformError(f"It does not stop; see {state.log('supervisor')}.")
        time.sleep(_LOOK_SECONDS)
    try:
        end_leftovers(state)
    finally:
        os.close(lock)
    return was_running


def _lock_or_running(state: PlatformState) -> int | None:
    """The lock, or None when the platform is ready; waits for one that starts or stops."""
    deadline = time.monotonic() + _OTHERS_SECONDS
    while (lock := state.lock()) is None:
        record = read_record(state)
        if record is not None and record.phase == "ready" and record.supervisor.is_alive:
            return None
        if time.monotonic() > deadline:
            raise PlatformError("Another command has been at work here for three minutes.")
        time.sleep(_LOOK_SECONDS)
    return lock


def _refuse_other_settings(state: PlatformState, layout: Layout, given: Mapping[str, str]) -> None:
    """Settings are read at the start: what is given now must be what it runs with."""
    others = {
        name
        for deployment in layout.deployments
        for name, value in read_environment(state, deployment.name).items()
        if name in given and is_setting(name) and given[name] != value
    }
    if others:
        raise PlatformError(
            f"It runs with another {' and '.join(sorted(others))}; to change that, stop it first: "
            "manage.py platform down."
        )


def _wait_until_healthy(state: PlatformState, layout: Layout) -> None:
    """Have what crashed restarted now rather than after its pause, and wait until all answer."""
    record = read_record(state)
    if record is not None and record.supervisor.pid is not None:
        with suppress(ProcessLookupError):  # it ended meanwhile
            os.kill(record.supervisor.pid, signal.SIGUSR1)
    deadline = time.monotonic() + _HEALTHY_SECONDS
    while True:
        status = read_status(state, layout)
        unwell = [row.name for row in status.deployments if row.health != "healthy"]
        if not unwell:
            return
        if time.monotonic() > deadline:
            raise PlatformError(
                f"It runs, but {', '.join(unwell)} did not become healthy in "
                f"{_HEALTHY_SECONDS:.0f} s.\n{as_table(status)}"
            )
        time.sleep(_LOOK_SECONDS)


def _run_supervisor(state: PlatformState, lock: int, *, tell: Callable[[str], None]) -> None:
    """Start it in the background, with the lock, and relay what it reports."""
    reader, writer = os.pipe()
    log = open_log(state.log("supervisor"))
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "federated_imputation.platform.supervisor", str(writer)],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=[writer, lock],
        )
    finally:
        os.close(writer)
        os.close(log)
    with os.fdopen(reader) as reports:
        try:
            _relay(reports, state, tell=tell)
        except KeyboardInterrupt:
            process.terminate()
            with suppress(KeyboardInterrupt):
                process.wait(timeout=_OTHERS_SECONDS)
            raise
    process.returncode = 0  # it outlives this command


def _relay(reports: IO[str], state: PlatformState, *, tell: Callable[[str], None]) -> None:
    for line in reports:
        report = json.loads(line)
        if "progress" in report:
            tell(report["progress"])
        elif "failed" in report:
            raise PlatformError(report["failed"])
        elif "ready" in report:
            return
    tail = last_lines(state.log("supervisor"), 20)
    raise PlatformError(f"The supervisor ended unexpectedly.\n{tail}")


def _terminate(record: PlatformRecord) -> None:
    if record.supervisor.pid is not None:
        with suppress(ProcessLookupError):  # it ended meanwhile
            os.kill(record.supervisor.pid, signal.SIGTERM)
