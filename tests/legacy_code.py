"""What the legacy code does to its database, act by act, in plain SQL.

It knows the legacy tables and columns and nothing else. Each of several that work at once has rows
of its own, a share of those that were there and those that it makes; so the last value that it gave
a row is the value that the row must have.
"""

import uuid
from collections.abc import Iterator
from itertools import count
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.legacy_database import legacy_columns
from tests.legacy_in_use import SERVICE, rows_in_use
from tests.legacy_rows import legacy_rows

__all__ = ["Changes", "Connection", "LegacyCode"]

Connection = psycopg.Connection[tuple[Any, ...]]
# By table and primary key: the row as text, `None` for no row.
Changes = dict[tuple[str, str], str | None]
_COLUMNS: Final = legacy_columns()
_PANEL: Final = 2 * SERVICE
# What a job may be left with, none of it names a secret.
_LISTS: Final[tuple[Any, ...]] = (
    [],
    ["a.zip", {"name": "b.zip", "size": 2**31}],
    {"files": [{"filename": "é.zip"}]},
)
_SHARED: Final = (
    *("imputation_imputationjob", "imputation_userprofile", "imputation_referencepanel"),
    *("imputation_imputationservice", "imputation_serviceusergroup"),
)
_MOST_JOBS: Final = 40
_MOST_USERS: Final = 3


class _Transaction:
    """One transaction, and what its rows will be when it is committed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.changes: Changes = {}

    def insert(self, table: str, **values: Any) -> str:
        """The primary key of the new row."""
        names = sql.SQL(", ").join(map(sql.Identifier, values))
        places = sql.SQL(", ").join(sql.Placeholder() * len(values))
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table), names, places
        )
        (key,) = self._changed(table, statement, list(values.values()))
        return key

    def update(self, table: str, where: str, value: Any, **values: Any) -> list[str]:
        """The primary keys of the rows whose column `where` is `value`."""
        settings = sql.SQL(", ").join(
            sql.SQL("{} = %s").format(sql.Identifier(name)) for name in values
        )
        statement = sql.SQL("UPDATE {} SET {} WHERE {} = %s").format(
            sql.Identifier(table), settings, sql.Identifier(where)
        )
        return self._changed(table, statement, [*values.values(), value])

    def keys(self, table: str, where: str, value: Any) -> list[str]:
        """The primary keys of the rows whose column `where` is `value`."""
        statement = sql.SQL("SELECT {}::text FROM {} WHERE {} = %s").format(
            sql.Identifier(_COLUMNS[table][0]), sql.Identifier(table), sql.Identifier(where)
        )
        return [key for (key,) in self._connection.execute(statement, [value])]

    def delete(self, table: str, where: str, value: Any) -> None:
        statement = sql.SQL("DELETE FROM {} WHERE {} = %s RETURNING {}::text").format(
            sql.Identifier(table), sql.Identifier(where), sql.Identifier(_COLUMNS[table][0])
        )
        for (key,) in self._connection.execute(statement, [value]):
            self.changes[table, key] = None

    def _changed(self, table: str, statement: sql.Composed, values: list[Any]) -> list[str]:
        names = list(map(sql.Identifier, _COLUMNS[table]))
        returning = sql.SQL(" RETURNING {}::text, ROW({})::text").format(
            names[0], sql.SQL(", ").join(names)
        )
        found: dict[str, str] = dict(
            self._connection.execute(statement + returning, values).fetchall()
        )
        self.changes |= {(table, key): row for key, row in found.items()}
        return list(found)


class LegacyCode:
    """One process's work. `changes` is what it committed last of each row that it wrote.

    Args:
        share: Of the rows that were there, these are its own.
    """

    def __init__(self, *, name: str, share: slice) -> None:
        self._name = name
        self._rows = rows_in_use()
        self._number = count()
        self._old = {table: [row["id"] for row in legacy_rows()[table]][share] for table in _SHARED}
        self._jobs = self._old["imputation_imputationjob"]
        self._users: list[str] = []
        self.changes: Changes = {}

    def do_everything(self, connection: Connection) -> Iterator[None]:
        """Each of the acts once, each in a transaction; yields after each."""
        for act in (
            *(self._join, self._submit, self._submit, self._follow, self._finish),
            *(self._store_key, self._correct, self._switch, self._retitle),
            *(self._tidy, self._change_password, self._withdraw, self._leave),
        ):
            with connection.transaction():
                work = _Transaction(connection)
                act(work, next(self._number))
            self.changes |= work.changes
            yield

    def _join(self, work: _Transaction, n: int) -> None:
        like = self._like("auth_user", n)
        user = work.insert("auth_user", **{**like, "username": f"{self._name} {n}"})
        profile = self._like("imputation_userprofile", n)
        work.insert("imputation_userprofile", **{**profile, "user_id": user})
        self._audit(work, n, user)
        self._users.append(user)

    def _submit(self, work: _Transaction, n: int) -> None:
        job = str(uuid.uuid4())
        work.insert(
            "imputation_imputationjob",
            **{
                **self._like("imputation_imputationjob", n),
                "id": job,
                "status": ("pending", "queued", "running")[n % 3],
                "user_token": f"token {n}" if n % 4 else "",
                "user_id": self._users[-1],
                "service_id": SERVICE,
                "reference_panel_id": _PANEL,
            },
        )
        self._told(work, n, job)
        self._audit(work, n, self._users[-1])
        work.update("auth_user", "id", self._users[-1], last_login="2025-10-07 21:19:00+00")
        self._jobs.append(job)

    def _follow(self, work: _Transaction, n: int) -> None:
        job = self._jobs[n % len(self._jobs)]
        status = ("queued", "running", "failed")[n % 3]
        work.update(
            "imputation_imputationjob", "id", job, status=status, progress_percentage=n % 101
        )
        self._told(work, n, job)

    def _finish(self, work: _Transaction, n: int) -> None:
        job = self._jobs[-1]
        for name in ("a.zip", f"{n}.zip"):
            like = self._like("imputation_resultfile", n)
            work.insert("imputation_resultfile", **{**like, "job_id": job, "filename": name})
        work.update(
            "imputation_imputationjob",
            "id",
            job,
            status="completed",
            result_files=Jsonb(_LISTS[n % len(_LISTS)]),
        )
        self._told(work, n, job)

    def _store_key(self, work: _Transaction, n: int) -> None:
        work.insert(
            "imputation_userserviceaccess",
            **{
                **self._like("imputation_userserviceaccess", n),
                "user_id": self._users[-1],
                "service_id": SERVICE,
                "api_key": f"key {n}",
            },
        )

    def _correct(self, work: _Transaction, n: int) -> None:
        like = self._like("imputation_imputationjob", n)
        columns = ("input_file", "input_file_size", "result_files", "error_message")
        work.update(
            "imputation_imputationjob",
            "id",
            self._jobs[n % len(self._jobs)],
            **{name: like[name] for name in columns},
        )

    def _switch(self, work: _Transaction, n: int) -> None:
        profiles = self._old["imputation_userprofile"]
        work.update(
            "imputation_userprofile",
            "id",
            profiles[n % len(profiles)],
            email_notifications=n % 2 == 0,
            phone=str(n),
        )
        work.update(
            "imputation_userprofile", "user_id", self._users[-1], email_notifications=n % 3 == 0
        )

    def _retitle(self, work: _Transaction, n: int) -> None:
        for table in ("imputation_referencepanel", "imputation_imputationservice"):
            old = self._old[table]
            work.update(table, "id", old[n % len(old)], description=str(n))
        groups = self._old["imputation_serviceusergroup"]
        work.insert(
            "imputation_serviceusergroupmembership",
            joined_at="2025-10-07 21:19:00+00",
            user_id=self._users[-1],
            group_id=groups[n % len(groups)],
        )

    def _tidy(self, work: _Transaction, n: int) -> None:
        work.delete("imputation_resultfile", "job_id", self._jobs[n % len(self._jobs)])

    def _change_password(self, work: _Transaction, n: int) -> None:
        like = self._like("auth_user", n)
        for user in self._users[-2:]:
            work.update(
                "auth_user", "id", user, password=like["password"], is_active=like["is_active"]
            )

    def _withdraw(self, work: _Transaction, n: int) -> None:
        if len(self._jobs) > _MOST_JOBS:
            self._delete_job(work, self._jobs.pop(n % len(self._jobs)))

    def _leave(self, work: _Transaction, n: int) -> None:
        """As Django's collector deletes: what names a row goes before it."""
        if len(self._users) <= _MOST_USERS:
            return
        user = self._users.pop(0)
        for job in work.keys("imputation_imputationjob", "user_id", user):
            self._delete_job(work, job)
            if job in self._jobs:
                self._jobs.remove(job)
        for table in ("userserviceaccess", "serviceusergroupmembership", "userprofile"):
            work.delete(f"imputation_{table}", "user_id", user)
        work.update("imputation_auditlog", "user_id", user, user_id=None)
        work.delete("auth_user", "id", user)

    @staticmethod
    def _delete_job(work: _Transaction, job: str) -> None:
        work.delete("imputation_resultfile", "job_id", job)
        work.delete("imputation_jobstatusupdate", "job_id", job)
        work.delete("imputation_imputationjob", "id", job)

    def _told(self, work: _Transaction, n: int, job: str) -> None:
        like = self._like("imputation_jobstatusupdate", n)
        work.insert("imputation_jobstatusupdate", **{**like, "job_id": job})

    def _audit(self, work: _Transaction, n: int, user: str) -> None:
        work.insert(
            "imputation_auditlog", **{**self._like("imputation_auditlog", n), "user_id": user}
        )

    def _like(self, table: str, n: int) -> dict[str, Any]:
        """A row as the n-th one of the table, odd as that may be, with a primary key to come."""
        rows = self._rows[table]
        return {name: value for name, value in rows[n % len(rows)].items() if name != "id"}
