"""One role and one database per deployment, which no other role may connect to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import psycopg
from psycopg import sql

__all__ = ["OwnedDatabase", "provision", "statements"]

_SHARED: Final = ("postgres", "template0", "template1")  # open to every role by default


@dataclass(frozen=True, kw_only=True)
class OwnedDatabase:
    """A database and the role that owns it and nothing else."""

    name: str
    role: str
    password: str = field(repr=False)


def provision(dsn: str, databases: Sequence[OwnedDatabase]) -> None:
    """Make each role and database as described; harmless when they are there.

    The server gets a SCRAM verifier, never the password, so no log can hold it.
    """
    with psycopg.connect(dsn, autocommit=True, connect_timeout=10) as connection:
        roles = _names(connection, "SELECT rolname FROM pg_roles")
        present = _names(connection, "SELECT datname FROM pg_database")
        for name in _SHARED:
            connection.execute(_close_to_public(name))
        for database in databases:
            verifier = connection.pgconn.encrypt_password(
                database.password.encode(), database.role.encode(), b"scram-sha-256"
            )
            for statement in statements(
                database,
                verifier=verifier.decode(),
                role_exists=database.role in roles,
                database_exists=database.name in present,
            ):
                connection.execute(statement)


def statements(
    database: OwnedDatabase, *, verifier: str, role_exists: bool, database_exists: bool
) -> Iterator[sql.Composed]:
    """What brings one role and its database to the state described above, in order."""
    yield sql.SQL(
        "{verb} ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {verifier}"
    ).format(
        verb=sql.SQL("ALTER" if role_exists else "CREATE"),
        role=sql.Identifier(database.role),
        verifier=sql.Literal(verifier),
    )
    if not database_exists:
        yield sql.SQL("CREATE DATABASE {name} OWNER {role}").format(
            name=sql.Identifier(database.name), role=sql.Identifier(database.role)
        )
    yield _close_to_public(database.name)


def _close_to_public(database: str) -> sql.Composed:
    return sql.SQL("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC").format(
        sql.Identifier(database)
    )


def _names(connection: psycopg.Connection, query: str) -> set[str]:
    return {row[0] for row in connection.execute(query)}
