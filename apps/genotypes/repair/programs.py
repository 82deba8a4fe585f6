"""plink2 as a guarded child process, for formats that are not read here.

It gets a bounded time and memory, no secrets, and a folder of its own to write to; it and all that
it started is killed when the time is up, and by the kernel when this process dies.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from apps.genotypes.repair.refusals import Refused

__all__ = ["run_plink2"]

_SECONDS: Final = 4 * 3600.0
_MEMORY_MB: Final = 1024
_ENVIRONMENT: Final = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR")
_SHOWN: Final = 1000
_PR_SET_PDEATHSIG: Final = 1


def run_plink2(
    arguments: Sequence[str | Path],
    folder: Path,
    *,
    format_name: str,
    hidden: Sequence[Path] = (),
    program: str = "plink2",
    seconds: float = _SECONDS,
) -> None:
    """Run plink2 in `folder`.

    Args:
        format_name: What is converted, for the refusal when plink2 is not installed.
        hidden: Folders whose names nobody is to see; that of the run is one always.

    Raises:
        Refused: it is not installed, failed (with its words), or did not end in time.
    """
    found = shutil.which(program)
    if found is None:
        raise Refused(
            "plink2-missing",
            f"{format_name} files are converted with plink2, which is not installed here.",
            remedy="Install plink2 (Debian: apt-get install plink2), or convert the file to VCF "
            "yourself.",
        )
    log = folder / "plink2.words"
    with log.open("wb") as words:
        process = subprocess.Popen(
            [found, *arguments, "--threads", "1", "--memory", str(_MEMORY_MB)],
            cwd=folder,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Refused(
                "plink2-failed",
                f"plink2 did not end within {seconds / 3600:g} hours and was stopped.",
                remedy="Convert the file to VCF yourself.",
            ) from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if status != 0:
        raise Refused(
            "plink2-failed",
            f"plink2 could not read the file: {_last_words(log, [folder, *hidden])}",
            remedy="Convert the file to VCF yourself.",
        )


def _last_words(log: Path, hidden: Sequence[Path]) -> str:
    """What it said about its error, else how it ended; without names of folders."""
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
        lines = file.read().decode("utf-8", "replace").splitlines()
    start = next((at for at, line in enumerate(lines) if line.startswith("Error:")), -3)
    text = " ".join(" ".join(lines[start:]).split())
    for folder in hidden:
        text = text.replace(f"{folder}/", "")
    return text[:_SHOWN]


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
