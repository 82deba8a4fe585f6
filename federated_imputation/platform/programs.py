"""What a child of the zygote becomes: a web process, a worker, beat, or a few commands.

Each function runs in a process of its own whose environment is the deployment's; in production
the same programs are started by their own command lines.
"""

import importlib
import os
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from federated_imputation import deployments

__all__ = ["PROGRAMS", "commands", "serve", "tick", "work"]

_SHUTDOWN_SECONDS: Final = 5  # for requests that are being answered
# Programs ask again every few seconds over the connection that they have. One that is closed at the
# moment of the next request is an error to them, so it stays longer than they pause.
_IDLE_SECONDS: Final = 75
_HEAD_BYTES: Final = 64 * 1024  # after which a request whose headers do not end is hung up on


def serve(*, host: str, port: int) -> None:
    """Answer requests with the ASGI application until SIGTERM."""
    import uvicorn

    uvicorn.run(
        "federated_imputation.asgi:application",
        host=host,
        port=port,
        lifespan="auto",
        http="h11",  # httptools collects headers without an end
        h11_max_incomplete_event_size=_HEAD_BYTES,
        log_config=None,  # Django's own logging takes uvicorn's records
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )


def work(*, heartbeat: str) -> None:
    """Run Celery tasks until SIGTERM, touching `heartbeat` while the broker is there."""
    from celery.signals import heartbeat_sent

    heartbeat_sent.connect(_toucher(heartbeat), weak=False)
    worker = _celery().Worker(
        hostname=f"{deployments.current().name}@{socket.gethostname()}",
        pool="threads",
        loglevel="INFO",
        quiet=True,
        heartbeat_interval=5,
        without_gossip=True,
        without_mingle=True,  # it waits a second for other workers
    )
    worker.start()
    sys.exit(worker.exitcode)


def tick(*, heartbeat: str, schedule: str) -> None:
    """Send the scheduled tasks until SIGTERM; `schedule` remembers when each was last sent."""
    from celery.signals import beat_init

    beat_init.connect(_toucher(heartbeat), weak=False)
    _celery().Beat(schedule=schedule, loglevel="INFO", quiet=True).run()


def commands(*, lines: list[list[str]]) -> None:
    """Run management commands one after the other; the first that fails ends the process."""
    from django.core.management import execute_from_command_line

    for line in lines:
        execute_from_command_line(["manage.py", *line])


PROGRAMS: Final[Mapping[str, Callable[..., None]]] = {
    "beat": tick,
    "commands": commands,
    "web": serve,
    "worker": work,
}


def _celery() -> Any:
    # By name, as Celery's own command line does it: the project is above this package.
    return importlib.import_module("federated_imputation.celery").app


def _toucher(heartbeat: str) -> Callable[..., None]:
    def touch(**_: object) -> None:
        os.close(os.open(heartbeat, os.O_WRONLY | os.O_CREAT, 0o600))
        os.utime(Path(heartbeat))

    return touch
