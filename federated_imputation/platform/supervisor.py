"""The supervisor: starts everything in order, keeps it running, stops it in reverse order.

Its life: *starting* (servers → databases → schema and seeds → deployments → demonstration data),
*ready* (whatever ends is started again, later and later if it keeps ending), *stopping*. A failure
while starting ends it all, and nothing is left running. `up` starts it in the background and reads
its progress from a pipe; afterwards it is spoken to with signals only (SIGTERM: stop; SIGUSR1: do
not wait with what is to be restarted), and says what there is to know in `processes.json`.

It has one thread. Every process of the platform is its child, also those that the zygote forks
(it is their subreaper), and the kernel ends them should it be killed itself.
"""

import ctypes
import json
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psycopg

from federated_imputation.deployments import Deployment
from federated_imputation.platform import seeds
from federated_imputation.platform.children import Child, describe_end
from federated_imputation.platform.databases import OwnedDatabase, provision
from federated_imputation.platform.environment import inherited_variables, read_environment, role
from federated_imputation.platform.health import has_heartbeat, is_ready
from federated_imputation.platform.layout import HOST, Layout, decide_layout, process_name
from federated_imputation.platform.logs import last_lines, open_log
from federated_imputation.platform.records import (
    Failure,
    Phase,
    PlatformRecord,
    forget_record,
    record_process,
    write_record,
)
from federated_imputation.platform.state import PlatformState
from federated_imputation.platform.stores import Postgres, StoreError, Valkey
from federated_imputation.platform.zygote import Request, Zygote, ZygoteGone

__all__ = ["Supervisor"]

logger = logging.getLogger("supervisor")

_PR_SET_CHILD_SUBREAPER: Final = 36
_STORE_SECONDS: Final = 60.0
_SETUP_SECONDS: Final = 600.0  # a node makes its demonstration panel, the first time
_HEALTH_SECONDS: Final = 90.0
_LOOK_SECONDS: Final = 0.1
_TAIL_LINES: Final = 20


class _StartFailed(Exception):
    """Something needed did not come up; the message holds the tail of its log."""


class _StopRequested(Exception):
    """SIGTERM came while starting."""


class Supervisor:
    """One platform's processes.

    Args:
        state: Its folder, with the environment files of `layout` written.
        layout: What runs where.
        report: Tells `up` about progress; takes `{"progress"|"failed"|"ready": text}`.
    """

    def __init__(
        self, *, state: PlatformState, layout: Layout, report: Callable[[Mapping[str, str]], None]
    ) -> None:
        self._state = state
        self._layout = layout
        self._report = report
        self._children: list[Child] = []  # in the order in which they are started
        self._jobs: dict[int, int | None] = {}  # exit status by process id
        self._zygote = Zygote()
        self._phase: Phase = "starting"
        self._stop_requested = False
        self._restart_requested = False
        self._wakeup, self._signalled = socket.socketpair()
        self._began = time.monotonic()
        self._self = record_process("supervisor", os.getpid())

    def run(self) -> int:
        """Live until SIGTERM; return the exit status."""
        self._listen_to_signals()
        try:
            self._start()
        except _StopRequested:
            return self._give_up("Stopped before everything was up.")
        except ZygoteGone as error:
            return self._give_up(f"{error}\n{self._tail(self._state.log('zygote'))}")
        except (_StartFailed, StoreError, OSError, psycopg.Error, ValueError) as error:
            return self._give_up(str(error))
        self._enter("ready")
        self._report({"ready": ""})
        with suppress(_StopRequested):
            while True:
                self._start_what_is_due()
                self._pause(self._seconds_until_due())
        self._stop()
        return 0

    def _give_up(self, why: str) -> int:
        logger.error("The platform did not start: %s", why)
        self._stop()
        self._report({"failed": why})
        return 1

    # Starting

    def _start(self) -> None:
        self._enter("starting")
        self._start_servers()
        self._make_databases()
        self._set_up_deployments()
        self._start_deployments()
        self._add_demonstration()

    def _start_servers(self) -> None:
        zygote = self._state.log("zygote")
        started = []
        self._add("zygote", lambda: self._zygote.spawn(log=zygote), grace=1.0)
        if self._layout.external_redis is None:
            valkey = Valkey(
                home=self._state.root.resolve() / "valkey",
                port=self._layout.valkey_port,
                password=self._state.secret("valkey"),
                log=self._state.log("valkey"),
            )
            self._add("valkey", lambda: _spawn(valkey))
            started.append((f"Valkey on port {valkey.port}", valkey.answers, valkey.log))
        if self._layout.embedded:
            postgres = self._postgres()
            self._add("postgres", lambda: _spawn(postgres), stop=signal.SIGINT, grace=30.0)
            started.append((f"PostgreSQL on port {postgres.port}", postgres.answers, postgres.log))
        for name, answers, log in started:
            self._wait_until(answers, seconds=_STORE_SECONDS, what=name, log=log)
        self._progress(", ".join(name for name, _, _ in reversed(started)) or "External servers")

    def _make_databases(self) -> None:
        if not self._layout.embedded:
            return
        provision(
            self._postgres().dsn(),
            [
                OwnedDatabase(
                    name=deployment.database or "",
                    role=role(deployment),
                    password=self._state.secret(f"{deployment.name}-database"),
                )
                for deployment in self._layout.embedded
            ],
        )
        self._progress("One role and one database for each deployment")

    def _set_up_deployments(self) -> None:
        with_data = [deployment for deployment in self._layout.deployments if deployment.database]
        jobs = {
            deployment: [
                ["migrate", "--no-input", "--verbosity=0"],
                *seeds.setup_commands(deployment, state=self._state, layout=self._layout),
            ]
            for deployment in with_data
        }
        self._run_commands(jobs, step="setup")
        self._progress("Schemas migrated, first data loaded")

    def _start_deployments(self) -> None:
        for deployment in self._layout.deployments:
            for program in deployment.processes:
                self._add_program(deployment, program)
        for deployment in self._layout.deployments:
            for program in deployment.processes:
                name = process_name(deployment, program)
                self._wait_until(
                    self._probe(deployment, program),
                    seconds=_HEALTH_SECONDS,
                    what=name,
                    log=self._state.log(name),
                )
        self._progress("All deployments are healthy")

    def _add_demonstration(self) -> None:
        jobs = seeds.demonstration_commands(state=self._state, layout=self._layout)
        if jobs:
            self._run_commands(jobs, step="demonstration")
            self._progress("The nodes are registered as imputation services")
        seeds.note_complete(state=self._state)

    def _add_program(self, deployment: Deployment, program: str) -> None:
        name = process_name(deployment, program)
        heartbeat = self._state.heartbeat(name).resolve()
        programs: Mapping[str, Mapping[str, object]] = {
            "web": {"host": HOST, "port": self._layout.port(deployment)},
            "worker": {"heartbeat": str(heartbeat)},
            "beat": {
                "heartbeat": str(heartbeat),
                "schedule": str(self._state.root.resolve() / "run" / f"{name}.schedule"),
            },
        }

        def launch() -> int:
            heartbeat.unlink(missing_ok=True)
            return self._fork(name, deployment, program, programs[program])

        self._add(name, launch)

    def _probe(self, deployment: Deployment, program: str) -> Callable[[], bool]:
        if program == "web":
            return lambda: is_ready(self._layout.port(deployment))
        heartbeat = self._state.heartbeat(process_name(deployment, program))
        continuous = program == "worker"
        return lambda: has_heartbeat(heartbeat, continuous=continuous, now=time.time())

    def _run_commands(self, jobs: Mapping[Deployment, list[list[str]]], *, step: str) -> None:
        """Run management commands, the deployments side by side; all must succeed."""
        running = {}
        for deployment, lines in jobs.items():
            name = f"{deployment.name}-{step}"
            pid = self._fork(name, deployment, "commands", {"lines": lines})
            self._jobs[pid] = None
            running[pid] = name
        deadline = time.monotonic() + _SETUP_SECONDS
        while running:
            self._pause(deadline - time.monotonic())
            for pid, name in list(running.items()):
                status = self._jobs[pid]
                if status == 0:
                    del running[pid], self._jobs[pid]
                elif status is not None or time.monotonic() > deadline:
                    what = "took too long" if status is None else describe_end(status)
                    raise _StartFailed(f"{name} {what}.\n{self._tail(self._state.log(name))}")

    def _fork(
        self, name: str, deployment: Deployment, program: str, arguments: Mapping[str, object]
    ) -> int:
        return self._zygote.fork(
            Request(
                name=name,
                program=program,
                arguments=arguments,
                environment={
                    **inherited_variables(os.environ),
                    **read_environment(self._state, deployment.name),
                },
                log=str(self._state.log(name)),
            )
        )

    def _postgres(self) -> Postgres:
        return Postgres(
            home=self._state.postgres.resolve(),
            port=self._layout.postgres_port,
            password=self._state.secret("postgres"),
            log=self._state.log("postgres"),
        )

    # Keeping it running

    def _add(
        self,
        name: str,
        launch: Callable[[], int],
        *,
        stop: signal.Signals = signal.SIGTERM,
        grace: float = 10.0,
    ) -> None:
        child = Child(
            name=name, launch=launch, log=self._state.log(name), stop_signal=stop, grace=grace
        )
        child.start(now=time.monotonic())
        self._children.append(child)
        self._write_record()

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
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _note_failure(self, child: Child, what: str) -> None:
        tail = self._tail(child.log)
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
            child = next((child for child in self._children if child.pid == pid), None)
            if child is None:
                continue
            if self._phase == "stopping":
                child.pid = None
                continue
            self._note_failure(child, describe_end(code))
            self._write_record()
            if self._phase == "starting":
                raise _StartFailed(f"{child.name} {describe_end(code)}.\n{self._tail(child.log)}")

    # Stopping

    def _stop(self) -> None:
        """End everything in reverse order, politely, then not."""
        self._enter("stopping")
        for pid, status in self._jobs.items():
            if status is None:
                os.kill(pid, signal.SIGKILL)
        for child in reversed(self._children):
            if child.pid is not None:
                self._end(child)
        self._zygote.close()
        forget_record(self._state)
        logger.info("The platform is stopped")

    def _end(self, child: Child) -> None:
        for number, seconds in ((child.stop_signal, child.grace), (signal.SIGKILL, 10.0)):
            if child.pid is not None:
                os.kill(child.pid, number)
            deadline = time.monotonic() + seconds
            while child.pid is not None and time.monotonic() < deadline:
                self._sleep(deadline - time.monotonic())
                self._reap()
            if child.pid is None:
                return
            logger.warning("%s did not end on %s", child.name, number.name)

    # Waiting, and telling

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
        self._sleep(seconds)
        self._reap()
        if self._stop_requested:
            raise _StopRequested

    def _sleep(self, seconds: float | None) -> None:
        """Sleep until a signal comes, a child's end included, at most `seconds`."""
        if self._stop_requested and self._phase != "stopping":
            return
        select.select([self._wakeup], [], [], None if seconds is None else max(0.0, seconds))
        with suppress(BlockingIOError):
            self._wakeup.recv(4096)

    def _wait_until(
        self, holds: Callable[[], bool], *, seconds: float, what: str, log: Path
    ) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                raise _StartFailed(f"{what} is not ready after {seconds:.0f} s.\n{self._tail(log)}")
            self._pause(_LOOK_SECONDS)

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        logger.info("The platform is %s", phase)
        self._write_record()

    def _write_record(self) -> None:
        write_record(
            self._state,
            PlatformRecord(
                phase=self._phase,
                supervisor=self._self,
                processes=tuple(child.record for child in self._children),
            ),
        )

    def _progress(self, text: str) -> None:
        logger.info("%s", text)
        self._report({"progress": f"{time.monotonic() - self._began:5.1f} s  {text}"})

    @staticmethod
    def _tail(log: Path) -> str:
        return last_lines(log, _TAIL_LINES) or f"({log.name} is empty)"


def _spawn(store: Postgres | Valkey) -> int:
    os.close(open_log(store.log))  # caps it
    if store.process is not None:
        store.process.returncode = 0  # reaped by the supervisor, not through this object
    return store.spawn().pid


def main(report_descriptor: int) -> int:
    """Supervise the platform of this checkout; `up` has checked ports and holds the lock for us."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.umask(0o077)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    pipe = os.fdopen(report_descriptor, "w", buffering=1)

    def report(message: Mapping[str, str]) -> None:
        with suppress(BrokenPipeError, ValueError):  # nobody waits any more
            pipe.write(json.dumps(message) + "\n")
            if "progress" not in message:
                pipe.close()

    state = PlatformState.of_checkout()
    layout = decide_layout(os.environ, remembered_offset=state.port_offset)
    return Supervisor(state=state, layout=layout, report=report).run()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
