"""The logs of the processes: capped when a process starts, and followed by `platform logs`."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

__all__ = ["follow", "last_lines", "open_log"]

_CAP_BYTES: Final = 5_000_000
_LOOK_SECONDS: Final = 0.25


def open_log(path: Path) -> int:
    """Open `path` (0600) for appending; one that has grown past 5 MB becomes `<name>.1` first."""
    if path.is_file() and path.stat().st_size > _CAP_BYTES:
        path.replace(path.with_name(path.name + ".1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def last_lines(path: Path, lines: int) -> str:
    """The last `lines` lines of a log, at most 64 kB; empty when there is none."""
    if not path.is_file():
        return ""
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - 65_536))
        return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])


def follow(path: Path, *, wait: Callable[[float], None] = time.sleep) -> Iterator[str]:
    """What is appended to `path` from now on, also after it was replaced; never ends."""
    log = path.open("rb")
    log.seek(0, os.SEEK_END)
    try:
        while True:
            if text := log.read():
                yield text.decode(errors="replace")
            elif path.exists() and path.stat().st_ino != os.fstat(log.fileno()).st_ino:
                log.close()
                log = path.open("rb")
            else:
                wait(_LOOK_SECONDS)
    finally:
        log.close()
