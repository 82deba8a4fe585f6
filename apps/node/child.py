"""The pipeline as a child process: started, listened to, and never left behind.

The child runs in a session of its own. Its standard input carries one line, the specification
with the password, and then stays open: when this server dies, however it dies, the child reads the
end of its input and kills its process group. When the child dies, this module kills what is left of
the group before the child's number can be given to another process.
"""

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from django.conf import settings

__all__ = [
    "Child",
    "Event",
    "Exited",
    "Finished",
    "MalformedEvent",
    "MessageShown",
    "OutputWritten",
    "StepStarted",
    "read_event",
]

logger = logging.getLogger(__name__)
# No secrets of the server: the child gets what programs need to be found and to write text.
_ENVIRONMENT: Final = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR")


class MalformedEvent(Exception):
    """A line of the pipeline that is none of its events."""


@dataclass(frozen=True, kw_only=True)
class StepStarted:
    name: str


@dataclass(frozen=True, kw_only=True)
class MessageShown:
    type: int
    text: str
    replace: bool


@dataclass(frozen=True, kw_only=True)
class OutputWritten:
    output: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Finished:
    success: bool


@dataclass(frozen=True, kw_only=True)
class Exited:
    """The last event: nothing of the child runs any more."""

    status: int


Event = StepStarted | MessageShown | OutputWritten | Finished | Exited


def read_event(line: str) -> Event:
    """One line of the pipeline's standard output.

    Raises:
        MalformedEvent: It is no JSON object of a known kind.
    """
    try:
        fields = json.loads(line)
        match fields["event"]:
            case "step":
                return StepStarted(name=_of(str, fields["name"]))
            case "message":
                return MessageShown(
                    type=_of(int, fields["type"]),
                    text=_of(str, fields["message"]),
                    replace=_of(bool, fields.get("replace", False)),
                )
            case "output":
                return OutputWritten(
                    output=_of(str, fields["output"]), path=_of(str, fields["path"])
                )
            case "finished":
                return Finished(success=_of(bool, fields["success"]))
    except (ValueError, TypeError, KeyError) as error:
        raise MalformedEvent from error
    raise MalformedEvent


class Child:
    """A running pipeline.

    Attributes:
        events: What it says, each with the time when it said it; `Exited` comes last, always.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.events: queue.SimpleQueue[tuple[datetime, Event]] = queue.SimpleQueue()
        self._process = process
        self._lock = threading.Lock()
        self._reaped = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        threading.Thread(target=self._wait, daemon=True).start()

    @classmethod
    def start(cls, *, specification: Mapping[str, Any], workspace: Path, log: Path) -> "Child":
        """Start the pipeline on a job's workspace; its standard error is appended to `log`."""
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        with log.open("ab") as errors:
            process = subprocess.Popen(
                # -P: the workspace, where a user's files are, is no place to import from.
                [sys.executable, "-P", "-m", "apps.node.pipeline"],
                cwd=workspace,
                env={**environment, "PYTHONPATH": str(settings.BASE_DIR)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        child = cls(process)
        assert process.stdin is not None  # noqa: S101 - it is a pipe, for the type checker
        try:
            process.stdin.write(json.dumps(specification) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            logger.warning("The pipeline ended before it read its specification.")
        return child

    def kill(self) -> None:
        """Kill the child and all that it started; harmless when they are gone."""
        with self._lock:
            if not self._reaped:
                os.killpg(self._process.pid, signal.SIGKILL)

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - as above
        for line in self._process.stdout:
            try:
                event = read_event(line)
            except MalformedEvent:
                logger.error("The pipeline wrote a line that is no event; it is stopped.")
                self.kill()
                return
            self.events.put((datetime.now(UTC), event))

    def _wait(self) -> None:
        os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            # The dead leader is not reaped yet, so its number still names this group.
            os.killpg(self._process.pid, signal.SIGKILL)
            status = self._process.wait()
            self._reaped = True
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    logger.debug("The specification was not read.")
        self.events.put((datetime.now(UTC), Exited(status=status)))


def _of(kind: type, value: Any) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise MalformedEvent
    # PostgreSQL stores no NUL in a text.
    return value.replace("\0", "") if isinstance(value, str) else value
