"""How a migration locks tables that others write, and harms none of the writers.

The story. A foreign key to a table, a trigger on it or a column of it needs a lock that every
writer waits for. On a live database two things can go wrong. Somebody keeps the table for long: the
migration waits, and all writers wait behind it. Or the migration has one table and waits for a
second, whose holder waits for the first: PostgreSQL ends one of the two, and it may be the writer.

So a migration takes all its locks of such tables in one operation, right before what needs them.
They are taken one after the other within half of `deadlock_timeout`, or all given back, and tried
again when those who waited have had their turn. A writer that waits for one of them looks for a
deadlock only when it has waited for the whole of that time; by then there is none.
"""

import time
from collections.abc import Callable
from typing import Any, Final

from django.db import OperationalError, connections, transaction
from django.db.migrations.operations.base import Operation
from psycopg.errors import LockNotAvailable

__all__ = ["LockTables", "lock_tables"]

_PATIENCE_SECONDS: Final = 300.0


class LockTables(Operation):
    """Lock tables until the migration's transaction ends.

    Backwards nothing is locked: a way back is for a database that nobody uses.

    Args:
        against_writes: Tables that get a trigger, or that a foreign key names.
        against_all: Tables that get a column. Their readers wait too.
    """

    reduces_to_sql = False

    def __init__(
        self, *, against_writes: tuple[str, ...] = (), against_all: tuple[str, ...] = ()
    ) -> None:
        self.against_writes = against_writes
        self.against_all = against_all

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Tables stay as they are."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        lock_tables(
            schema_editor.connection.alias,
            against_writes=self.against_writes,
            against_all=self.against_all,
        )

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Nothing to give back."""

    def describe(self) -> str:
        return f"Lock {', '.join((*self.against_all, *self.against_writes))}"


def lock_tables(
    alias: str,
    *,
    against_writes: tuple[str, ...] = (),
    against_all: tuple[str, ...] = (),
    patience: float = _PATIENCE_SECONDS,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Lock the tables until the transaction under way at `alias` ends.

    Nobody waits for longer than half of the server's `deadlock_timeout` for a try that fails, and
    after it for as long not at all.

    Args:
        patience: Seconds after which no further try is begun.
        pause: Called between tries, with seconds.

    Raises:
        OperationalError: Somebody kept one of them for all that time; no lock is held.
        TransactionManagementError: No transaction is under way.
    """
    modes = dict.fromkeys(against_all, "ACCESS EXCLUSIVE")
    modes |= {table: "SHARE ROW EXCLUSIVE" for table in against_writes if table not in modes}
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT setting::integer FROM pg_settings WHERE name = 'deadlock_timeout'")
        seconds = cursor.fetchone()[0] / 2_000
    give_up = time.monotonic() + patience
    while True:
        try:
            _try(alias, modes, seconds=seconds)
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable):
                raise
            if time.monotonic() >= give_up:
                raise OperationalError(
                    f"Others kept {' or '.join(modes)} busy for {patience:.0f} seconds: this "
                    "migration is undone, run it again. pg_stat_activity tells of transactions "
                    "that are open for long."
                ) from error
            pause(seconds)
        else:
            return


def _try(alias: str, modes: dict[str, str], *, seconds: float) -> None:
    until = time.monotonic() + seconds
    # A savepoint of its own: what it locked goes with it.
    connection = connections[alias]
    with transaction.atomic(using=alias), connection.cursor() as cursor:
        for table, mode in modes.items():
            left = max(1, int((until - time.monotonic()) * 1_000))
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{left}ms"])
            cursor.execute(f"LOCK TABLE {connection.ops.quote_name(table)} IN {mode} MODE")
        cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
