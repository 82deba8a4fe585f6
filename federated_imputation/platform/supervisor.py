"""The supervisor: brings the whole platform up in order, and then keeps it running.

Servers → databases → schema and first data → deployments → demonstration data. A failure on the
way ends it all, and nothing is left running. `up` starts it in the background and reads its
progress from a pipe; afterwards it is spoken to with signals only, and says what there is to know
in `processes.json`.

Every process of the platform is its child, also those that the zygote forks (it is their
subreaper), and the kernel ends them should it be killed itself.
"""

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import psycopg

from federated_imputation.deployments import Deployment
from federated_imputation.platform import seeds
from federated_imputation.platform.databases import OwnedDatabase, provision
from federated_imputation.platform.environment import inherited_variables, read_environment, role
from federated_imputation.platform.health import has_heartbeat, is_ready
from federated_imputation.platform.keeper import Keeper, StartFailed, StopRequested
from federated_imputation.platform.layout import HOST, Layout, decide_layout, process_name
from federated_imputation.platform.logs import open_log
from federated_imputation.platform.state import PlatformState
from federated_imputation.platform.stores import Postgres, StoreError, Valkey
from federated_imputation.platform.zygote import Request, Zygote, ZygoteGone

__all__ = ["Supervisor"]

logger = logging.getLogger("supervisor")

_STORE_SECONDS: Final = 60.0
_SETUP_SECONDS: Final = 600.0  # a node makes its demonstration panel, the first time
_HEALTH_SECONDS: Final = 90.0


class Supervisor:
    """One platform, from `up` to `down`.

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
        self._keeper = Keeper(state=state)
        self._zygote = Zygote()
        self._began = time.monotonic()

    def run(self) -> int:
        """Live until SIGTERM; return the exit status."""
        try:
            self._start()
        except StopRequested:
            return self._give_up("Stopped before everything was up.")
        except ZygoteGone as error:
            return self._give_up(f"{error}\n{self._keeper.tail(self._state.log('zygote'))}")
        except (StartFailed, StoreError, OSError, psycopg.Error, ValueError) as error:
            return self._give_up(str(error))
        self._keeper.enter("ready")
        self._report({"ready": ""})
        self._keeper.keep()
        self._keeper.stop()
        return 0

    def _give_up(self, why: str) -> int:
        logger.error("The platform did not start: %s", why)
        self._keeper.stop()
        self._report({"failed": why})
        return 1

    def _start(self) -> None:
        self._keeper.enter("starting")
        self._start_servers()
        self._make_databases()
        self._set_up_deployments()
        self._start_deployments()
        self._add_demonstration()

    def _start_servers(self) -> None:
        zygote = self._state.log("zygote")
        started = []
        self._keeper.add("zygote", lambda: self._zygote.spawn(log=zygote), grace=1.0)
        if self._layout.external_redis is None:
            valkey = Valkey(
                home=self._state.root.resolve() / "valkey",
                port=self._layout.valkey_port,
                password=self._state.secret("valkey"),
                log=self._state.log("valkey"),
            )
            self._keeper.add("valkey", lambda: _spawn(valkey))
            started.append((f"Valkey on port {valkey.port}", valkey.answers, valkey.log))
        if self._layout.embedded:
            postgres = self._postgres()
            self._keeper.add("postgres", lambda: _spawn(postgres), stop=signal.SIGINT, grace=30.0)
            started.append((f"PostgreSQL on port {postgres.port}", postgres.answers, postgres.log))
        for name, answers, log in started:
            self._keeper.wait_until(answers, seconds=_STORE_SECONDS, what=name, log=log)
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
                self._keeper.wait_until(
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

        self._keeper.add(name, launch)

    def _probe(self, deployment: Deployment, program: str) -> Callable[[], bool]:
        if program == "web":
            return lambda: is_ready(self._layout.port(deployment))
        heartbeat = self._state.heartbeat(process_name(deployment, program))
        continuous = program == "worker"
        return lambda: has_heartbeat(heartbeat, continuous=continuous, now=time.time())

    def _run_commands(self, jobs: Mapping[Deployment, list[list[str]]], *, step: str) -> None:
        """Run management commands, the deployments side by side; all must succeed."""
        running = []
        for deployment, lines in jobs.items():
            name = f"{deployment.name}-{step}"
            running.append((name, self._fork(name, deployment, "commands", {"lines": lines})))
        self._keeper.wait_for_jobs(running, seconds=_SETUP_SECONDS)

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

    def _progress(self, text: str) -> None:
        logger.info("%s", text)
        self._report({"progress": f"{time.monotonic() - self._began:5.1f} s  {text}"})


def _spawn(store: Postgres | Valkey) -> int:
    os.close(open_log(store.log))  # caps it
    if store.process is not None:
        store.process.returncode = 0  # reaped by the supervisor, not through this object
    return store.spawn().pid


def main(report_descriptor: int) -> int:
    """Supervise the platform of this checkout; `up` has checked ports and holds the lock for us."""
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
