"""`python -P -m apps.shared.confined LIMITS MODULE ARGUMENT…`: a module that may go wrong.

The module runs as a program under limits of the kernel, and below the priority of whoever serves
people. Its standard input carries nothing and stays open as long as its parent lives: at its end
the whole process group is killed, so that nothing goes on when the parent dies, however it dies.
The parent gives it a session of its own.
"""

import json
import os
import resource
import runpy
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

__all__ = ["Limits", "main"]

_NICENESS: Final = 10


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a process, and each that it starts, may use.

    Attributes:
        memory: Bytes of its own; files that it maps do not count.
        file_size: Bytes of the largest file that it may write.
        cpu_seconds: Of all its threads together.
    """

    memory: int
    file_size: int
    cpu_seconds: int

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def main(arguments: Sequence[str]) -> None:
    limits = Limits(**json.loads(arguments[0]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (limits.memory, limits.memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_size, limits.file_size))
    # One second between the signal that can be told from others and the one that ends all.
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 1))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it
    os.nice(_NICENESS)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    sys.argv = list(arguments[1:])
    runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)


def _end_with_the_parent() -> None:
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
