"""A migration gets its locks of tables that others write, and none of them is harmed."""

import importlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, connections, transaction

from federated_imputation.monolith.table_locks import lock_tables
from tests.locks import waiting_for_a_lock

KEYS_THAT_ACT = importlib.import_module(
    "federated_imputation.monolith.migrations.0027_keys_that_act"
)


@pytest.fixture
def tables(transactional_db):
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE locks_a (n integer); CREATE TABLE locks_b (n integer)")
        yield "locks_a", "locks_b"
        cursor.execute("DROP TABLE locks_a, locks_b")


@pytest.fixture
def elsewhere():
    """Runs a function in a thread with a connection of its own."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield lambda act: pool.submit(_with_its_own_connection, act)


def _with_its_own_connection(act):
    try:
        return act()
    finally:
        connections.close_all()


def held(tables):
    """The modes in which this transaction holds these tables."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relation::regclass::text, mode FROM pg_locks WHERE pid = pg_backend_pid() "
            "AND relation::regclass::text = ANY(%s)",
            [list(tables)],
        )
        return dict(cursor.fetchall())


def write(table):
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} VALUES (1)")  # noqa: S608


def test_locks_are_held_until_the_transaction_ends(tables):
    with transaction.atomic():
        lock_tables("default", against_all=tables[:1], against_writes=tables)
        assert held(tables) == {
            "locks_a": "AccessExclusiveLock",
            "locks_b": "ShareRowExclusiveLock",
        }
    assert held(tables) == {}


@pytest.mark.parametrize("way", ["against_writes", "against_all"])
def test_writer_that_a_migration_waits_for_may_write_what_it_holds(tables, elsewhere, way):
    def migrate():
        with transaction.atomic():
            lock_tables("default", **{way: tables}, pause=lambda seconds: None)
            return held(tables)

    with transaction.atomic():
        write("locks_b")
        migrated = elsewhere(migrate)
        while not waiting_for_a_lock() and not migrated.done():
            pass
        write("locks_a")
    assert set(migrated.result(timeout=30)) == set(tables)


def test_migration_gives_up_when_a_table_is_kept_and_holds_nothing(tables, elsewhere):
    is_kept, may_end = threading.Event(), threading.Event()

    def keep():
        with transaction.atomic():
            write("locks_b")
            is_kept.set()
            assert may_end.wait(30)

    kept = elsewhere(keep)
    assert is_kept.wait(30)
    with transaction.atomic():
        with pytest.raises(OperationalError, match="Others kept locks_a or locks_b busy for 0 s"):
            lock_tables("default", against_writes=tables, patience=0)
        assert held(tables) == {}
    may_end.set()
    kept.result(timeout=30)


def test_keys_of_an_older_database_act_by_themselves_after_the_migration(db):
    before = _keys()
    assert {
        definition for *_, definition in before if "ON DELETE CASCADE" not in definition
    } == set()
    with connection.cursor() as cursor:
        for table, column, key, named in KEYS_THAT_ACT.KEYS:
            cursor.execute(
                f"ALTER TABLE {table} DROP CONSTRAINT {key}, ADD CONSTRAINT {key}_old "
                f"FOREIGN KEY ({column}) REFERENCES {named} (id) DEFERRABLE INITIALLY DEFERRED"
            )
        assert not _keys() & before
        for _ in range(2):
            for table, column, key, named in KEYS_THAT_ACT.KEYS:
                statement = KEYS_THAT_ACT.REPLACE_KEY
                cursor.execute(statement.format(table=table, column=column, key=key, named=named))
            assert _keys() == before


def _keys():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) "
            "FROM pg_constraint WHERE contype = 'f' AND conrelid::regclass::text = ANY(%s) "
            "AND confrelid::regclass::text = ANY(%s)",
            [
                [table for table, *_ in KEYS_THAT_ACT.KEYS],
                [named for *_, named in KEYS_THAT_ACT.KEYS],
            ],
        )
        return set(cursor.fetchall())
