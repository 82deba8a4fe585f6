"""Follows a guide to the letter, as its reader would, and keeps what was printed."""

import os
import re
import secrets
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.e2e.guides.reading import Guide, Language, Step

__all__ = ["Followed", "follow"]

_SECONDS: Final = 600.0
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What the shell does by itself is on no command line.
_STARTED: Final = re.compile(r"^\++ (?!printf |echo |\[ |\w+=)(.*)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Followed:
    """What came of it.

    Attributes:
        printed: What each block printed, in order.
        complaints: What all of them wrote to standard error.
        command_lines: Those of the programs that the shell started; none of Python.
    """

    printed: list[str]
    complaints: str
    command_lines: list[str] = field(default_factory=list)


def follow(
    guide: Guide, language: Language, *, environment: Mapping[str, str], folder: Path
) -> Followed:
    """Type all blocks of one language, in order, into one fresh shell or interpreter.

    Args:
        environment: What the reader exports. The rest of it is as small as it can be.
        folder: Empty; everything happens there.

    Raises:
        AssertionError: A block failed; the message says which, and what was printed.
    """
    steps = guide.ways[language]
    marker = f"end of block {secrets.token_hex(8)}"
    trace, script = folder.parent / "trace", folder.parent / "script"
    script.write_text({"bash": _shell_script, "python": _python_script}[language](steps, marker))
    command = {
        "bash": ["bash", "-euo", "pipefail", "-c", _traced(trace, script)],
        "python": [sys.executable, str(script)],
    }[language]
    environment = {"PATH": _PATH, "HOME": str(folder), "LANG": "C.UTF-8", **environment}
    said, complaints, status = _run(command, folder=folder, environment=environment)
    *printed, rest = said.split(f"{marker}\n")
    if status != 0 or len(printed) != len(steps):
        how = f"is not over after {_SECONDS:.0f} s" if status is None else f"ends with {status}"
        stopped = steps[min(len(printed), len(steps) - 1)]
        raise AssertionError(
            f"{guide.name} in {language} {how} in the block of line {stopped.line}:\n"
            f"{rest}{complaints}"
        )
    traced = trace.read_text() if language == "bash" else ""
    return Followed(printed=printed, complaints=complaints, command_lines=_STARTED.findall(traced))


def _run(
    command: list[str], *, folder: Path, environment: Mapping[str, str]
) -> tuple[str, str, int | None]:
    """Standard output, standard error and the status, which is `None` when time was up."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            said, complaints = process.communicate(timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # a shell's `sleep` holds the pipes, too
            return *process.communicate(), None
        return said, complaints, process.returncode


def _traced(trace: Path, script: Path) -> str:
    """A shell that types the script and notes each command with the words that it was given."""
    return (
        f"exec {{BASH_XTRACEFD}}> {shlex.quote(str(trace))}; set -x; . {shlex.quote(str(script))}"
    )


def _shell_script(steps: tuple[Step, ...], marker: str) -> str:
    return "".join(f"{step.text}echo {shlex.quote(marker)}\n" for step in steps)


def _python_script(steps: tuple[Step, ...], marker: str) -> str:
    return "".join(f"{step.text}print({marker!r}, flush=True)\n" for step in steps)
