"""Processes of the legacy system that go on working while its database is adopted.

Whatever PostgreSQL refuses one of them, a lock that does not come in `PATIENCE` included, ends it
and fails the test.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import zip_longest
from typing import Final

import psycopg
from psycopg import sql

from tests.legacy_code import Changes, Connection, LegacyCode
from tests.legacy_in_use import UNTOUCHED
from tests.legacy_rows import EACH

__all__ = ["PATIENCE", "LegacyProcesses", "legacy_processes"]

# How long a writer waits for a lock before it counts as refused, for a machine with a lot to do.
PATIENCE: Final = "30s"
_SECONDS: Final = 300.0
# So that they leave something of the machine to those who are tested.
_BETWEEN_ACTS: Final = 0.03
Connect = Callable[[], Connection]


class _Thread(threading.Thread, ABC):
    """Ends with an error or when it may not go on; `rounds` counts what it has come through."""

    def __init__(self, connect: Connect, *, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._connect = connect
        self._is_over = threading.Event()
        self._progress = threading.Condition()
        self._error: Exception | None = None
        self._rounds = 0

    def run(self) -> None:
        try:
            with self._connect() as connection:
                self._work(connection)
        except Exception as error:
            with self._progress:
                self._error = error
                self._progress.notify_all()

    @abstractmethod
    def _work(self, connection: Connection) -> None: ...

    def _count_round(self) -> None:
        with self._progress:
            self._rounds += 1
            self._progress.notify_all()

    def wait_for_rounds(self, more: int) -> None:
        """Until it has come through so many more.

        Raises:
            AssertionError: It stands still.
            Exception: What ended it.
        """
        with self._progress:
            wanted = self._rounds + more
            self._progress.wait_for(lambda: self._error or self._rounds >= wanted, timeout=_SECONDS)
            if self._error:
                raise self._error
            assert self._rounds >= wanted, f"{self.name} stands still."

    def end(self) -> None:
        """Let it come to its end, and raise what ended it before."""
        self._is_over.set()
        self.join(timeout=_SECONDS)
        assert not self.is_alive(), f"{self.name} does not end."
        if self._error:
            raise self._error


class _Writer(_Thread):
    def __init__(self, connect: Connect, *, share: slice) -> None:
        super().__init__(connect, name=f"legacy writer {share.start}")
        self.code = LegacyCode(name=self.name, share=share)

    def _work(self, connection: Connection) -> None:
        while not self._is_over.is_set():
            for _ in self.code.do_everything(connection):
                self._is_over.wait(_BETWEEN_ACTS)
            self._count_round()


class _Keeper(_Thread):
    """Transactions that take long: open until a migration waits for a table that they wrote.

    Then they write other tables, in the orders in which both would wait for each other.
    """

    # In the order in which migrations from 0008 to 0022 lock the first of each.
    _ORDERS: Final = (
        ("auth_user", "imputation_imputationjob"),
        ("imputation_imputationservice", "auth_user"),
        ("imputation_userprofile", "auth_user"),
        ("imputation_resultfile", "imputation_imputationjob", "auth_user"),
        ("imputation_referencepanel", "imputation_imputationservice"),
        ("imputation_imputationjob", "auth_user"),
    )

    def _work(self, connection: Connection) -> None:
        with self._connect() as second:
            this, other = connection, second
            self._keep(this, self._ORDERS[0][0])
            for (table, *rest), following in zip_longest(self._ORDERS, self._ORDERS[1:]):
                while not self._is_wanted(this, table):
                    if self._is_over.is_set():
                        return
                if following:  # kept before the migration can pass it by
                    self._keep(other, following[0])
                for each in rest:
                    self._touch(this, each)
                this.execute("COMMIT")
                this, other = other, this
                self._count_round()

    def _keep(self, connection: Connection, table: str) -> None:
        connection.execute("BEGIN")
        self._touch(connection, table)

    @property
    def is_done(self) -> bool:
        return self._rounds == len(self._ORDERS)

    @staticmethod
    def _touch(connection: Connection, table: str) -> None:
        statement = sql.SQL("UPDATE {} SET id = id WHERE id = %s").format(sql.Identifier(table))
        assert connection.execute(statement, [UNTOUCHED[table]]).rowcount == 1

    @staticmethod
    def _is_wanted(connection: Connection, table: str) -> bool:
        (found,) = connection.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = %s::regclass "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())), "
            "pg_sleep(0.01)",
            [table],
        )
        return bool(found[0])


class LegacyProcesses:
    """All of them."""

    def __init__(self, url: str, *, writers: int) -> None:
        def connect() -> Connection:
            return psycopg.connect(
                url,
                autocommit=True,
                application_name="legacy",
                options=f"-c lock_timeout={PATIENCE} -c timezone=UTC",
            )

        # The other half stays as it is, so that there is something left for the backfills.
        self._writers = [
            _Writer(connect, share=slice(n, EACH // 2, writers)) for n in range(writers)
        ]
        self._keeper = _Keeper(connect, name="legacy transactions that take long")

    @property
    def _all(self) -> list[_Thread]:
        return [*self._writers, self._keeper]

    def start(self) -> None:
        for each in self._all:
            each.start()

    def wait_for_rounds(self, more: int = 1) -> None:
        """Until each writer has done each of its acts so often again; raises what ended one."""
        for writer in self._writers:
            writer.wait_for_rounds(more)

    def end(self) -> None:
        """Let all come to their ends; raises what ended one of them before."""
        for each in self._all:
            each.end()

    @property
    def were_waited_for(self) -> bool:
        """Whether a migration met each of the transactions that take long."""
        return self._keeper.is_done

    @property
    def ledger(self) -> Changes:
        """What they committed last."""
        return {key: row for writer in self._writers for key, row in writer.code.changes.items()}


@contextmanager
def legacy_processes(url: str, *, writers: int) -> Iterator[LegacyProcesses]:
    """Some that work from now on, until the end at the latest.

    Args:
        url: Of a legacy database with the rows of `rows_in_use`.
    """
    working = LegacyProcesses(url, writers=writers)
    working.start()
    try:
        yield working
    finally:
        working.end()
