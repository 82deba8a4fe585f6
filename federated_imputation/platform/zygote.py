"""The zygote: a process that has imported the libraries and forks the deployments from there.

Importing Django, Celery and the rest takes a second of processor time and tens of megabytes;
here that is paid once and shared. The rules that keep it honest:

- Only modules that need no settings are imported, and afterwards no settings are configured.
- There is no second thread, no connection and no event loop before a fork.
- Whatever was allocated is frozen, so that the garbage collector of a child does not copy it.

Every deployment is still an operating-system process of its own, with its own settings, database
and port. It is forked twice and thereby becomes a child of the supervisor, not of the zygote:
the zygote may die and be started again without any of them noticing.

The supervisor talks over a socket: one JSON request, one JSON answer `{"pid": …}`.
"""

import ctypes
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from federated_imputation import deployments
from federated_imputation.platform.logs import open_log
from federated_imputation.platform.programs import PROGRAMS
from federated_imputation.platform.state import CHECKOUT

__all__ = ["PRELOADED", "Request", "Zygote", "ZygoteGone", "preload"]

PRELOADED: Final = (
    "celery.apps.beat",
    "celery.apps.worker",
    "celery.concurrency.thread",
    "celery.fixups.django",
    "celery.worker.consumer",
    "cryptography.fernet",
    "django.contrib.admin",
    "django.contrib.auth.hashers",
    "django.contrib.auth.management",
    "django.contrib.sessions.backends.db",
    "django.contrib.staticfiles.finders",
    "django.core.asgi",
    "django.core.management.commands.migrate",
    "django.db.backends.postgresql.base",
    "django.forms",
    "django.test.client",
    "django_prometheus.middleware",
    "drf_spectacular.types",
    "environ",
    "jsonschema",
    "jwt",
    "kombu.transport.redis",
    "psycopg_pool",
    "pyzipper",
    "redis",
    "requests",
    "requests_toolbelt",
    "rest_framework.serializers",
    "rest_framework.settings",
    "uvicorn.lifespan.on",
    "uvicorn.loops.uvloop",
    "uvicorn.main",
    "uvicorn.protocols.http.h11_impl",
    "whitenoise.middleware",
)

_LARGEST_MESSAGE: Final = 65_536
_ANSWER_SECONDS: Final = 60.0  # the first answer waits for the imports
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15


class ZygoteGone(Exception):
    """The zygote does not answer; nothing was started."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One process to fork.

    Attributes:
        name: Shown by `ps`, as far as it fits.
        program: Key of `PROGRAMS`.
        arguments: Keyword arguments of the program.
        environment: All of its environment variables.
        log: File that takes its output.
    """

    name: str
    program: str
    arguments: Mapping[str, Any]
    environment: Mapping[str, str] = field(repr=False)
    log: str


class Zygote:
    """The supervisor's end: starts the process and asks it for children."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def spawn(self, *, log: Path) -> int:
        """Start the zygote and return its process id; it answers when its imports are done."""
        self.close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(_ANSWER_SECONDS)
        output = open_log(log)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __spec__.name, str(theirs.fileno()), str(os.getpid())],
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=[theirs.fileno()],
            )
        finally:
            theirs.close()
            os.close(output)
        self._socket = ours
        return self._process.pid

    def fork(self, request: Request) -> int:
        """Start what `request` describes as a child of this process; return its process id.

        Raises:
            ZygoteGone: The zygote has ended or does not answer.
        """
        if self._socket is None:
            raise ZygoteGone("The zygote is not running.")
        try:
            self._socket.send(json.dumps(asdict(request)).encode())
            answer = self._socket.recv(_LARGEST_MESSAGE)
        except OSError as error:
            raise ZygoteGone(f"The zygote does not answer: {error}.") from error
        if not answer:
            raise ZygoteGone("The zygote has ended.")
        return int(json.loads(answer)["pid"])

    def close(self) -> None:
        """Hang up, upon which the zygote ends."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def preload() -> None:
    """Import what every deployment needs.

    Raises:
        RuntimeError: A module configured Django's settings, which belong to each child alone.
    """
    for name in PRELOADED:
        importlib.import_module(name)
    from django.conf import settings

    if settings.configured:
        raise RuntimeError("A preloaded module has configured the settings.")


def serve_requests(line: socket.socket, *, supervisor: int) -> Request:
    """Fork a child per request; return only in a child, with what it is to become.

    The zygote itself ends the process when the supervisor hangs up.
    """
    while message := line.recv(_LARGEST_MESSAGE):
        request = Request(**json.loads(message))
        reader, writer = os.pipe()
        between = os.fork()
        if between == 0:
            child = os.fork()
            if child:
                os.write(writer, str(child).encode())
                os._exit(0)
            os.close(reader)
            os.close(writer)
            line.close()
            _settle(request, supervisor=supervisor)
            return request
        os.close(writer)
        with os.fdopen(reader) as answer:
            pid = int(answer.read())
        os.waitpid(between, 0)
        line.send(json.dumps({"pid": pid}).encode())
    sys.exit(0)


def _settle(request: Request, *, supervisor: int) -> None:
    """Turn a fresh fork into a process of its own: session, parent, environment, output."""
    os.setsid()
    deadline = time.monotonic() + 5
    while os.getppid() != supervisor:  # until the process between has ended
        if time.monotonic() > deadline:
            os._exit(1)
        time.sleep(0.001)
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NAME, request.name.encode()[:15], 0, 0, 0)
    if os.getppid() != supervisor:
        os._exit(1)
    output = open_log(Path(request.log))
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.environ.clear()
    os.environ.update(request.environment)
    time.tzset()
    gc.enable()


def main(descriptor: int, supervisor: int) -> None:
    """Be the zygote, and in each child what was asked for."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != supervisor:
        sys.exit(1)
    gc.disable()
    preload()
    gc.collect()
    gc.freeze()
    request = serve_requests(socket.socket(fileno=descriptor), supervisor=supervisor)
    deployments.select_settings()
    PROGRAMS[request.program](**request.arguments)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
