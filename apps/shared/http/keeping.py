"""Connections that stand after a short read and may carry the next one.

Only reads are sent over a kept connection: it may die at the moment it is used, and a read that got
no byte of an answer is simply made again over a new one. A connection is kept under all that
admitted it (`Target`, certificates), for a few seconds, and in the process that made it.
"""

import os
import threading
import time
from collections.abc import Callable, Hashable
from itertools import chain
from typing import Final

from urllib3.connection import HTTPConnection
from urllib3.util.connection import is_connection_dropped

__all__ = ["Connections"]

_SECONDS: Final = 4.0  # common servers close an idle connection after 5 seconds or more
_MOST: Final = 8


class Connections:
    """Idle connections, the one used last first. Safe to share between threads.

    Args:
        seconds: How long one may stay idle.
        most: How many of one kind are kept.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        seconds: float = _SECONDS,
        most: int = _MOST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._idle: dict[Hashable, list[tuple[float, HTTPConnection]]] = {}
        self._process = os.getpid()

    def take(self, kind: Hashable) -> HTTPConnection | None:
        """A connection of that kind that still stands, as far as can be known."""
        while True:
            with self._lock:
                self._let_go()
                if not self._idle.get(kind):
                    return None
                _, connection = self._idle[kind].pop()
            if not is_connection_dropped(connection):
                return connection
            connection.close()

    def put(self, kind: Hashable, connection: HTTPConnection) -> None:
        """Keep `connection`, over which a whole answer came, or close it."""
        with self._lock:
            self._let_go()
            kept = self._idle.setdefault(kind, [])
            if len(kept) < self._most:
                kept.append((self._clock(), connection))
                return
        connection.close()

    def close(self) -> None:
        """Close all that are idle."""
        with self._lock:
            self._let_go()
            kept, self._idle = self._idle, {}
        for _, connection in chain.from_iterable(kept.values()):
            connection.close()

    def _let_go(self) -> None:
        """Close those that have been idle for too long, and forget a parent process's."""
        if self._process != os.getpid():
            self._process, self._idle = os.getpid(), {}
        oldest = self._clock() - self._seconds
        for kind, kept in list(self._idle.items()):
            for entry in [entry for entry in kept if entry[0] < oldest]:
                kept.remove(entry)
                entry[1].close()
            if not kept:
                del self._idle[kind]
