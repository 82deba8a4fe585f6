"""What became of a child process, as a sentence for whoever waits for its report."""

import signal
from typing import Final

__all__ = ["why_it_failed"]

_LONGEST: Final = 500
_CRASHES: Final = {
    -signal.SIGSEGV,
    -signal.SIGBUS,
    -signal.SIGABRT,
    -signal.SIGILL,
    -signal.SIGFPE,
}


def why_it_failed(kind: str, *, status: int, errors: str) -> str:
    """Why a check or a repair ended without a report.

    Args:
        status: As in `subprocess`.
        errors: The end of its standard error: a sentence, or what a program in trouble prints.
    """
    if status == -signal.SIGXCPU:
        return f"The {kind} took longer than it may. Split the file by chromosome and try again."
    if status == -signal.SIGXFSZ:
        return f"What the {kind} makes is larger than you may store. Delete files, or split it."
    if status in _CRASHES:
        name = signal.Signals(-status).name
        return (
            f"The program that reads the file crashed ({name}): the file is probably damaged. "
            "Make it anew from its source and try again."
        )
    if status < 0:
        name = signal.Signals(-status).name
        return f"The {kind} was ended from outside ({name}), maybe for want of memory. Try again."
    if "MemoryError" in errors:
        return f"The {kind} needs more memory than it may have. Split the file and try again."
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    if lines and "Traceback" not in errors:
        return lines[-1][:_LONGEST]
    return f"The {kind} failed for a reason of our own (status {status}). Tell the operators."
