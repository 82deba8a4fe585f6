"""Holding a job at a step, so that tests and people can watch what a restart does to it.

Development only: the server names a file, and while it holds the word of a step (`qc`,
`imputation`, `export`) a job that comes to this step waits there.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

__all__ = ["HeldStep", "wait_while_held"]

HeldStep = Literal["qc", "imputation", "export"]

_POLL = 0.1
_LONGEST = 60.0


def wait_while_held(
    step: HeldStep,
    hold_file: Path | None,
    *,
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait while the file holds the step's word, a minute at most.

    Args:
        hold_file: None never holds; nor does a file that is missing.
        say: Told once, when the step is held.
    """
    if hold_file is None:
        return
    for turn in range(int(_LONGEST / _POLL)):
        try:
            if hold_file.read_text(encoding="utf-8").strip() != step:
                return
        except FileNotFoundError:
            return
        if turn == 0:
            say(f"Held at {step}.")
        sleep(_POLL)
