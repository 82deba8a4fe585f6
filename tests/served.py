"""A monolith under uvicorn for tests: a database and a data folder of its own, on a free port."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from tests.servers import free_port

__all__ = ["create_database", "fill", "of_database", "serving"]

_ROOT: Final = Path(__file__).parents[1]
_START_SECONDS: Final = 60


def of_database(environment: Mapping[str, str], name: str, data: Path) -> dict[str, str]:
    """`environment` for a monolith with the database `name` and the data folder `data`.

    Args:
        environment: Points the monolith at running servers, as `tests.servers` makes it.
    """
    server = environment["MONOLITH_DATABASE_URL"].rpartition("/")[0]
    data.parent.mkdir(parents=True, exist_ok=True)
    return {
        **os.environ,
        **environment,
        "DEPLOYMENT": "monolith",
        "PYTHONPATH": str(_ROOT),
        "MONOLITH_DATABASE_URL": f"{server}/{name}",
        "MONOLITH_DATA_ROOT": str(data),
    }


def create_database(
    environment: Mapping[str, str], name: str, *, template: str = "template1"
) -> None:
    """Make the empty database `name`, or a copy of `template`."""
    server = environment["MONOLITH_DATABASE_URL"].rpartition("/")[0]
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )


def fill(environment: Mapping[str, str], *, build: str) -> None:
    """Migrate the database and call `build`, a function of a module, `tests.fuzz.world:build`."""
    module, _, function = build.partition(":")
    call = f"import django; django.setup(); from {module} import {function}; {function}()"
    for command in (["manage.py", "migrate", "--verbosity=0"], ["-c", call]):
        subprocess.run([sys.executable, *command], env=dict(environment), cwd=_ROOT, check=True)


@contextmanager
def serving(environment: Mapping[str, str], log: Path) -> Iterator[str]:
    """A monolith on a free loopback port; yields its address once it is ready."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "uvicorn", "federated_imputation.asgi:application"]
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*command, "--host=127.0.0.1", f"--port={port}", "--no-access-log"],
            env=dict(environment),
            cwd=_ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(f"{address}/api/schema/", server, log)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=_START_SECONDS):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"The server did not come up:\n{log.read_text()}")
