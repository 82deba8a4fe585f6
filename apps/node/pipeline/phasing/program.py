"""A phasing program as a child process: watched, bounded in time, and its words kept from users.

The child stays in the job's process group, so whatever ends the job ends the program. Its output
goes to a file that is looked at while it runs: a Java program that has thrown may go on forever,
so a stack trace ends it.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from apps.node.pipeline.phasing.protocol import PhasingFailed

__all__ = ["ask", "run"]

_VERSION_TIMEOUT = 20.0
_LOOK = 0.1
# Of what a program says, this much of the start and of the end is looked at.
_SHOWN = 64 * 1024
_LINES = 40
_LINE = 300

_TRACE = re.compile(rb"^(Exception in thread|\s+at [\w.$]+\()", re.MULTILINE)
_OUT_OF_MEMORY = re.compile(
    rb"java\.lang\.OutOfMemoryError|bad_alloc|Could not reserve enough space"
)
_DISK_FULL = re.compile(rb"No space left on device|Disk quota exceeded")
_GENOTYPE = re.compile(r"[0-9.][|/][0-9.]")


def ask(command: Sequence[str], pattern: bytes) -> tuple[str, ...] | None:
    """Run a command for a moment; the groups of `pattern` in what it says, None without."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_VERSION_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(pattern, done.stdout + done.stderr)
    return None if found is None else tuple(group.decode() for group in found.groups())


def run(
    name: str,
    command: Sequence[str],
    *,
    folder: Path,
    timeout: float,
    memory_mb: int,
    environment: Mapping[str, str] | None = None,
    progress: Callable[[bytes], None],
    log: Callable[[str], None],
) -> None:
    """Run a program to its end.

    Args:
        name: As users read it.
        folder: Where it is started and where its words are written, to `<name>.log`.
        timeout: Seconds that it may take.
        memory_mb: What it was allowed, for the sentence that says that it was too little.
        environment: What it sees besides the PATH; nothing of the server's own, which holds
            secrets.
        progress: Told now and then what the program has said.
        log: Told the program's words when it fails.

    Raises:
        PhasingFailed: it could not be started, failed, threw, or took too long.
    """
    path = folder / f"{name}.log"
    deadline = time.monotonic() + timeout
    with path.open("wb") as said:
        try:
            child = subprocess.Popen(
                command,
                cwd=folder,
                env=_environment(folder) | dict(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        except OSError as error:
            raise PhasingFailed(f"{name} could not be started ({error.strerror}).") from error
    threw = late = False
    try:
        while True:
            try:
                child.wait(timeout=_LOOK)
                break
            except subprocess.TimeoutExpired:
                words = _read(path)
                progress(words)
                threw = _TRACE.search(words) is not None
                late = time.monotonic() > deadline
                if threw or late:
                    child.kill()
                    child.wait()
                    break
    except BaseException:
        child.kill()
        child.wait()
        raise
    words = _read(path)
    threw = threw or _TRACE.search(words) is not None
    if not (threw or late or child.returncode):
        return
    _tell(log, name, words)
    raise PhasingFailed(
        _reason(
            name, words, child.returncode, threw=threw, late=late, timeout=timeout, memory=memory_mb
        )
    )


def _reason(
    name: str,
    words: bytes,
    status: int,
    *,
    threw: bool,
    late: bool,
    timeout: float,
    memory: int,
) -> str:
    if _OUT_OF_MEMORY.search(words):
        return (
            f"{name} needed more than the {memory:,} MB of memory that it may take on this server. "
            "Please upload fewer samples or contact the operators."
        )
    if _DISK_FULL.search(words):
        return "The disk of this server is full. Please try again later or contact the operators."
    if threw:
        return f"{name} failed with an error of its own, which the log of the job shows."
    if late:
        return f"{name} did not end within {timeout:,g} seconds and was stopped."
    if status < 0:
        return f"{name} was ended by {_signal(-status)}."
    return f"{name} ended with status {status}; the log of the job shows what it said."


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _tell(log: Callable[[str], None], name: str, words: bytes) -> None:
    """Its first and last lines; one that could hold a genotype is left out."""
    lines = [line for line in words.decode("utf-8", "replace").splitlines() if line.strip()]
    if len(lines) > _LINES:
        lines = [*lines[: _LINES // 2], "…", *lines[-_LINES // 2 :]]
    for line in lines:
        text = "(a line with genotypes)" if _GENOTYPE.search(line) else line[:_LINE]
        log(f"{name}: {text}")


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        first = file.read(_SHOWN)
        end = file.seek(0, os.SEEK_END)
        file.seek(max(len(first), end - _SHOWN))
        return first + file.read(_SHOWN)


def _environment(folder: Path) -> dict[str, str]:
    kept = {
        name: os.environ[name]
        for name in ("LD_LIBRARY_PATH", "JAVA_HOME", "PATH")
        if name in os.environ
    }
    return {"PATH": os.defpath, "LC_ALL": "C", "TMPDIR": str(folder)} | kept
