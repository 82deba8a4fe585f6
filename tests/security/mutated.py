"""A pytest plugin: run the tests once as they are, then once for each mutant, until one fails.

`MUTANTS` names them, parted by commas, each as its module and number, as `tests.security.mutants`
counts them. A mutant is put to work for good, so each has a fork to itself; nothing is set up
again in it that lives for the session. A last run without any mutant shows that those before it
have left nothing behind that fails by itself. What noticed which is appended to the file
`VERDICTS`: a line each of the mutant, a tab, and the test or nothing; without a mutant, '-'.
"""

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connections
from redis import Redis

from tests.security.mutants import Mutant, mutants_of

UNCHANGED = "-"


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    """Instead of pytest's own loop."""
    verdicts = Path(os.environ["VERDICTS"])
    first = _first_failure(session)
    _note(verdicts, UNCHANGED, first)
    if not first:
        for name, mutant in [*_mutants(os.environ["MUTANTS"]), (UNCHANGED, None)]:
            _note(verdicts, name, _in_a_fork(session, mutant))
    return True


def _mutants(names: str) -> Iterator[tuple[str, Mutant]]:
    for name in names.split(","):
        module, number = name.split()
        # A view that only the URLs name may not be imported yet.
        yield name, list(mutants_of(importlib.import_module(module)))[int(number)]


def _first_failure(session: pytest.Session) -> str:
    """The first test that fails; '' when none does."""
    # After the last one all is taken down but what lives for the session, which goes on.
    following: list[pytest.Item | pytest.Session] = [*session.items[1:], session]
    for item, after in zip(session.items, following, strict=True):
        item.ihook.pytest_runtest_protocol(item=item, nextitem=after)
        if session.testsfailed:
            return item.nodeid
    return ""


def _in_a_fork(session: pytest.Session, mutant: Mutant | None) -> str:
    connections.close_all()  # two processes cannot share one
    with Redis.from_url(settings.REDIS_URL) as store:
        store.flushall()  # what the run before has counted against its limits
    sys.stdout.flush()
    read_end, write_end = os.pipe()
    pid = os.fork()
    if not pid:
        status = 1
        try:
            if mutant is not None:
                mutant.apply()
            os.write(write_end, _first_failure(session).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        noticed = pipe.read().decode()
    _, status = os.waitpid(pid, 0)
    return noticed or (f"the tests end by {status}" if status else "")


def _note(verdicts: Path, name: str, noticed: str) -> None:
    with verdicts.open("a") as file:
        file.write(f"{name}\t{noticed}\n")
