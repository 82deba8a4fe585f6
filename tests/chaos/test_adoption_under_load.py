"""A legacy database is adopted in place while legacy processes write to it and people use ours.

Writers that know nothing of us insert, update and delete in the legacy tables from before `migrate`
until after the backfills, in plain SQL; other transactions stay open until a migration waits for
them, and then write what it may hold. None is refused anything: PostgreSQL ends whoever waits for
a lock for longer than `tests.legacy_writers.PATIENCE`, and one of two that wait for each other, and
a writer that it ends fails the test. Meanwhile a server of ours is judged by the contract:

- before: after `migrate` and before any backfill ran. Our code cannot run on a database that was
  not migrated, so this is the first moment at which there is anything to judge;
- during: while backfills run, one of which was killed in the middle and is begun again;
- after: when the backfills are finished and nothing old writes any more.

At the end each legacy row is what its last writer made it, and `backfill check` finds every copy
equal. The short form judges the server by a part of the contract, `make chaos` by all of it.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connections

from federated_imputation.platform.state import CHECKOUT
from tests.chaos.site import eventually
from tests.contract.row import Row
from tests.contract.rows import ROWS
from tests.contract.runner import run_all
from tests.contract.scene import Credentials, Scene
from tests.legacy_database import create_legacy_database, new_database, values_of
from tests.legacy_in_use import (
    ADMINISTRATOR,
    OWNER,
    PASSWORD,
    PEOPLE,
    RESULT,
    RESULT_PATH,
    ROLES,
    SERVICE,
    rows_in_use,
)
from tests.legacy_writers import legacy_processes
from tests.served import of_database, serving

_ALIAS = "adoption"
# Django derives these from the code.
_DERIVED = {"django_migrations", "django_content_type", "auth_permission"}
# What the contract itself writes in rows that were there: people log in, roles are described anew.
_WRITTEN_BY_THE_CONTRACT = {
    *(("auth_user", str(number)) for number in PEOPLE),
    *(
        ("imputation_userrole", str(row["id"]))
        for row in rows_in_use()["imputation_userrole"]
        if row["name"] in ROLES
    ),
}
_EVERY = 40  # row of the contract, in the short form


@pytest.fixture
def database(django_db_blocker: Any, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of processes on a legacy database of their own, which is `_ALIAS` here."""
    with django_db_blocker.unblock(), new_database(_ALIAS) as alias:
        create_legacy_database(alias, rows_in_use())
        name = connections[alias].settings_dict["NAME"]
        data = tmp_path / "data"
        result = data / RESULT_PATH
        result.parent.mkdir(parents=True)
        result.write_bytes(RESULT)
        yield of_database(
            {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.fuzz.settings"}, name, data
        )


@pytest.mark.parametrize(
    ("writers", "before", "during", "after"),
    [
        pytest.param(
            3,
            ROWS[::_EVERY],
            ROWS[_EVERY // 3 :: _EVERY],
            ROWS[2 * _EVERY // 3 :: _EVERY],
            id="short",
            marks=pytest.mark.timeout(900),
        ),
        pytest.param(
            6,
            *(ROWS, ROWS, ROWS),
            id="whole",
            marks=[pytest.mark.long, pytest.mark.timeout(7_200)],
        ),
    ],
)
def test_legacy_database_is_adopted_under_load(
    database: dict[str, str],
    tmp_path: Path,
    writers: int,
    before: Sequence[Row],
    during: Sequence[Row],
    after: Sequence[Row],
) -> None:
    values = values_of(_ALIAS)
    url = database["MONOLITH_DATABASE_URL"]
    with legacy_processes(url, writers=writers) as legacy:
        legacy.wait_for_rounds()
        _manage(database, "migrate", "--verbosity=0")
        legacy.wait_for_rounds()
        assert legacy.were_waited_for
        with serving(database, tmp_path / "log") as address:
            assert _judged(address, before) == []
            _kill_a_backfill_in_the_middle(database)
            with _backfills_running(database):
                differing = _judged(address, during)
                legacy.wait_for_rounds()
                # With new secrets in each pass, the backfill of secrets would not come to an end.
                legacy.end()
            assert differing == []

            _manage(database, "backfill", "run")
            checked = json.loads(_manage(database, "backfill", "check", "--json"))["backfills"]
            assert {each["name"]: each["first"] for each in checked if each["differences"]} == {}
            assert _changed(values, legacy.ledger) == {}
            assert _judged(address, after) == []


def _manage(environment: Mapping[str, str], *arguments: str) -> str:
    """What the command says; it must succeed."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env=dict(environment),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _judged(address: str, rows: Sequence[Row]) -> list[str]:
    """Where the server's answers differ from these rows of the contract."""
    credentials = Credentials(
        username=ADMINISTRATOR, password=PASSWORD, owner=(OWNER, PASSWORD), service=SERVICE
    )
    scene = Scene(url=address, credentials=credentials)
    try:
        return [
            f"{outcome.row.name}: {difference}"
            for outcome in run_all(rows, scene, alone=False)
            for difference in outcome.differences
        ]
    finally:
        scene.close()


def _kill_a_backfill_in_the_middle(environment: Mapping[str, str]) -> None:
    running = _start_backfill(environment, pause=0.1)
    try:
        with psycopg.connect(environment["MONOLITH_DATABASE_URL"], autocommit=True) as connection:
            eventually(lambda: _is_in_the_middle(connection), seconds=300)
            assert running.poll() is None
    finally:
        running.send_signal(signal.SIGKILL)
        assert running.wait(timeout=60) == -signal.SIGKILL


def _is_in_the_middle(connection: psycopg.Connection[Any]) -> bool:
    """Whether some of the files of jobs are copied, and others are not yet."""
    found = connection.execute(
        "SELECT written > 0 AND finished_at IS NULL FROM imputation_backfillprogress "
        "WHERE name = 'files-of-jobs'"
    ).fetchone()
    return found is not None and found[0]


@contextmanager
def _backfills_running(environment: Mapping[str, str]) -> Iterator[None]:
    """One after the other, and the last one to its end; each of them must succeed."""
    is_over = threading.Event()
    statuses = []

    def run() -> None:
        while not is_over.is_set():
            running = _start_backfill(environment, pause=0.05)
            try:
                statuses.append(running.wait(timeout=600))
            finally:
                running.kill()

    with ThreadPoolExecutor(max_workers=1) as pool:
        running = pool.submit(run)
        try:
            yield
        finally:
            is_over.set()
        running.result()
    assert set(statuses) == {0}


def _start_backfill(environment: Mapping[str, str], *, pause: float) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "backfill", "run", "--batch=10", f"--pause={pause}"],
        env=dict(environment),
        cwd=CHECKOUT,
        stdout=subprocess.DEVNULL,
    )


def _changed(
    before: Mapping[str, Mapping[str, str]], ledger: Mapping[tuple[str, str], str | None]
) -> dict[tuple[str, str], tuple[str | None, str | None]]:
    """Each legacy row that is not what it was or what its last writer made it: wanted, found."""
    wanted: dict[tuple[str, str], str | None] = {
        (table, key): row
        for table, rows in before.items()
        for key, row in rows.items()
        if table not in _DERIVED
    }
    wanted |= ledger
    after = values_of(_ALIAS)
    return {
        (table, key): (row, found)
        for (table, key), row in wanted.items()
        if (found := after[table].get(key)) != row and (table, key) not in _WRITTEN_BY_THE_CONTRACT
    }
