"""The legacy monolith's database, made from its three tables of columns, constraints and indexes.

Nothing here uses our models or migrations: what is made is what the legacy code left behind, so
that the tests can show that our code takes it over. Rows come from `tests.legacy_rows`.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection, connections, transaction

from tests.legacy_rows import legacy_rows

__all__ = [
    "Schema",
    "create_legacy_database",
    "expected_schema",
    "legacy_columns",
    "new_database",
    "schema_of",
    "values_of",
]

_FOLDER = Path(__file__).parent / "data" / "legacy"
Row = dict[str, Any]
_TYPES_WITH_LENGTH = {"character varying"}


@dataclass(frozen=True, kw_only=True)
class Schema:
    """Three sets of rows in the form of the TSV files.

    Attributes:
        columns: table, position, column, type, length, nullable, identity, "precision,scale".
        constraints: table, name, type (c, f, p, u), definition.
        indexes: table, name, "[UNIQUE ]USING …".
    """

    columns: frozenset[tuple[str, ...]]
    constraints: frozenset[tuple[str, ...]]
    indexes: frozenset[tuple[str, ...]]

    @property
    def tables(self) -> list[str]:
        return sorted({column[0] for column in self.columns})


def expected_schema() -> Schema:
    """The legacy schema as the TSV files tell it."""
    return Schema(
        columns=_read("columns.tsv"),
        constraints=_read("constraints.tsv"),
        indexes=_read("indexes.tsv"),
    )


def schema_of(alias: str, tables: list[str]) -> Schema:
    """The schema that `tables` really have in the database `alias`."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            """
            SELECT table_name,
                   -- counted without dropped columns, of which django_content_type has one
                   (row_number() OVER (PARTITION BY table_name ORDER BY ordinal_position))::text,
                   column_name, data_type,
                   coalesce(character_maximum_length::text, ''), is_nullable, is_identity,
                   coalesce(numeric_precision || ',' || numeric_scale, '')
            FROM information_schema.columns
            WHERE table_schema = 'public' AND table_name = ANY(%s)
            """,
            [tables],
        )
        columns = frozenset(cursor.fetchall())
        cursor.execute(
            """
            SELECT conrelid::regclass::text, conname, contype::text, pg_get_constraintdef(oid)
            FROM pg_constraint
            WHERE connamespace = 'public'::regnamespace
              AND contype IN ('c', 'f', 'p', 'u') AND conrelid::regclass::text = ANY(%s)
            """,
            [tables],
        )
        constraints = frozenset(cursor.fetchall())
        cursor.execute(
            "SELECT tablename, indexname, indexdef FROM pg_indexes "
            "WHERE schemaname = 'public' AND tablename = ANY(%s)",
            [tables],
        )
        indexes = frozenset(
            (table, name, re.sub(r"^CREATE (UNIQUE )?INDEX \S+ ON \S+ ", r"\1", definition))
            for table, name, definition in cursor.fetchall()
        )
    return Schema(columns=columns, constraints=constraints, indexes=indexes)


def create_legacy_database(alias: str, rows: Mapping[str, Sequence[Row]] | None = None) -> None:
    """Make the tables, the rows and the sequences of a legacy database in an empty one.

    Args:
        rows: By table, as text that PostgreSQL reads; by default `legacy_rows()`.
    """
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        _create_tables(cursor)
        for table, of_table in (legacy_rows() if rows is None else rows).items():
            names = list(of_table[0])
            columns = ", ".join(f'"{name}"' for name in names)
            places = ", ".join(["%s"] * len(names))
            cursor.executemany(
                f"INSERT INTO {table} ({columns}) VALUES ({places})",  # noqa: S608
                [[row[name] for name in names] for row in of_table],
            )
        for table, _, name, *_, identity, _ in expected_schema().columns:
            if identity == "YES":
                cursor.execute(
                    f"SELECT setval(pg_get_serial_sequence(%s, %s), max({name})) FROM {table}",  # noqa: S608
                    [table, name],
                )


def legacy_columns() -> dict[str, list[str]]:
    """The columns of each legacy table in their order, the primary key first."""
    columns = defaultdict(list)
    for table, position, name, *_ in expected_schema().columns:
        columns[table].append((int(position), name))
    return {table: [name for _, name in sorted(found)] for table, found in columns.items()}


def values_of(alias: str) -> dict[str, dict[str, str]]:
    """Every row of the legacy tables, over the legacy columns: table -> primary key -> values."""
    found = {}
    with connections[alias].cursor() as cursor:
        for table, names in legacy_columns().items():
            listed = ", ".join(f'"{name}"' for name in names)
            cursor.execute(f'SELECT "{names[0]}"::text, ROW({listed})::text FROM {table}')  # noqa: S608
            found[table] = dict(cursor.fetchall())
    return found


@contextmanager
def new_database(alias: str) -> Iterator[str]:
    """An empty database of its own on the test server, known to Django as `alias`."""
    name = f"{connection.settings_dict['NAME']}_{alias}"
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        cursor.execute(f'CREATE DATABASE "{name}"')
    connections.databases[alias] = {**connection.settings_dict, "NAME": name}
    try:
        yield alias
    finally:
        connections[alias].close()
        del connections[alias]
        del connections.databases[alias]
        with connection._nodb_cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _create_tables(cursor: Any) -> None:
    schema = expected_schema()
    columns = defaultdict(list)
    for table, position, *rest in schema.columns:
        columns[table].append((int(position), *rest))
    for table, described in sorted(columns.items()):
        cursor.execute(f"CREATE TABLE {table} ({', '.join(map(_column, sorted(described)))})")
    # Foreign keys last: they need the primary keys of other tables.
    for table, name, kind, definition in sorted(schema.constraints, key=lambda c: c[2] == "f"):
        assert kind in "cfpu"
        cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
    made_by_constraints = {constraint[1] for constraint in schema.constraints}
    for table, name, definition in sorted(schema.indexes):
        if name not in made_by_constraints:
            unique = "UNIQUE " if definition.startswith("UNIQUE ") else ""
            cursor.execute(
                f"CREATE {unique}INDEX {name} ON {table} {definition.removeprefix('UNIQUE ')}"
            )


def _column(described: tuple[Any, ...]) -> str:
    _, name, kind, length, nullable, identity, precision = described
    if kind in _TYPES_WITH_LENGTH:
        kind = f"{kind}({length})"
    elif kind == "numeric":
        kind = f"{kind}({precision})"
    generated = " GENERATED BY DEFAULT AS IDENTITY" if identity == "YES" else ""
    return f'"{name}" {kind}{"" if nullable == "YES" else " NOT NULL"}{generated}'


def _read(name: str) -> frozenset[tuple[str, ...]]:
    with (_FOLDER / name).open(newline="") as file:
        return frozenset(map(tuple, csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)))
