"""A program in a child process that says in JSON lines how far it is, and is never left behind.

The child runs confined (`apps.shared.confined`) in a session of its own. When it ends, what is left
of its process group is killed before its number can be given to another process.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from apps.shared.confined import Limits

__all__ = ["Child", "Exited", "Garbled", "Said"]

# No secrets of the server: the child gets what programs need to be found and to write text.
_ENVIRONMENT: Final = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR")
_LONGEST_LINE: Final = 16 * 1024 * 1024
_KEPT_ERRORS: Final = 4096
_ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Said:
    """A line of the child: a JSON object that any database can hold."""

    fields: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Garbled:
    """A line that is no JSON object, or too long; the child is killed."""


@dataclass(frozen=True, kw_only=True)
class Exited:
    """The last event: nothing of the child runs any more.

    Attributes:
        status: As in `subprocess`: the number of a signal is negative.
        errors: The end of what it wrote to standard error.
    """

    status: int
    errors: str


class Child:
    """A running program.

    Attributes:
        events: What it says; `Exited` comes last, always.
        pid: Its number, and that of its process group.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        *,
        limits: Limits,
        folder: Path,
    ) -> None:
        """Start `module` with `arguments` in `folder`.

        Raises:
            OSError: No process can be started.
        """
        self.events: queue.SimpleQueue[Said | Garbled | Exited] = queue.SimpleQueue()
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        self._process = subprocess.Popen(
            # -P: the folder, where a user's files are, is no place to import from.
            [
                *(sys.executable, "-P", "-m", "apps.shared.confined"),
                *(limits.to_json(), module, *arguments),
            ],
            cwd=folder,
            env={**environment, "PYTHONPATH": str(_ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.pid: Final = self._process.pid
        self._lock = threading.Lock()
        self._reaped = False
        self._errors = b""
        self._readers = [
            threading.Thread(target=read, daemon=True)
            for read in (self._read_lines, self._read_errors)
        ]
        for reader in self._readers:
            reader.start()
        self._waiter = threading.Thread(target=self._wait, daemon=True)
        self._waiter.start()

    def close(self) -> None:
        """Kill the child and all that it started, and come back when they are gone."""
        self.kill()
        self._waiter.join()

    def kill(self) -> None:
        """Kill the child and all that it started; harmless when they are gone."""
        with self._lock:
            if not self._reaped:
                os.killpg(self.pid, signal.SIGKILL)

    def _read_lines(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe, for the type checker
        while line := self._process.stdout.readline(_LONGEST_LINE):
            try:
                fields = json.loads(line, parse_constant=_refuse)
                if not isinstance(fields, dict):
                    raise ValueError("a line is no object")
            except (ValueError, RecursionError):
                self.events.put(Garbled())
                self.kill()
                return
            self.events.put(Said(fields=_storable(fields)))

    def _read_errors(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - as above
        while block := os.read(self._process.stderr.fileno(), 65536):
            self._errors = (self._errors + block)[-_KEPT_ERRORS:]

    def _wait(self) -> None:
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            # The dead leader is not reaped yet, so its number still names this group.
            os.killpg(self.pid, signal.SIGKILL)
            status = self._process.wait()
            self._reaped = True
        for reader in self._readers:
            reader.join()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        self.events.put(Exited(status=status, errors=self._errors.decode("utf-8", "replace")))


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _storable(value: Any) -> Any:
    """The value without what PostgreSQL cannot hold: NUL and halves of surrogate pairs."""
    match value:
        case str():
            return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
        case list():
            return [_storable(each) for each in value]
        case dict():
            return {_storable(name): _storable(each) for name, each in value.items()}
    return value
