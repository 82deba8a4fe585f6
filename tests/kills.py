"""A process that is killed in the middle of what it does."""

import os
import signal
import sys
from collections.abc import Callable, Set
from typing import Any, Final

from django.db import connection

__all__ = ["DISK_CHANGES", "dies_at"]

# Audit events of Python (PEP 578) that leave something else on the disk.
DISK_CHANGES: Final = frozenset(
    {"os.link", "os.rename", "os.remove", "os.mkdir", "os.utime", "os.chmod"}
)


def dies_at(
    point: int, act: Callable[[], object], *, beside_statements: Set[str] = frozenset()
) -> bool:
    """Whether a child that does `act` was killed before its `point`th statement, counted from 0.

    If not, it came to its end before, without an error.

    Args:
        beside_statements: Audit events that count like statements.
    """
    connection.close()
    child = os.fork()
    if child == 0:
        seen = 0

        def count() -> None:
            nonlocal seen
            if seen == point:
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1

        def counted(execute: Callable[..., Any], *call: Any) -> Any:
            count()
            return execute(*call)

        sys.addaudithook(lambda event, _: count() if event in beside_statements else None)
        status = 1
        try:
            with connection.execute_wrapper(counted):
                act()
            status = 0
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    with connection.cursor() as cursor:  # its server process may not have noticed yet
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert os.WIFSIGNALED(ended) or os.waitstatus_to_exitcode(ended) == 0
    return os.WIFSIGNALED(ended)
