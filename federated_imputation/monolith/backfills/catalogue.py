"""Which backfills there are. Each copies what one legacy table says to a table of its own domain.

The copying and the comparing are functions of the database (migrations 0017 and 0018), the same
that its triggers call for each row that is written now. Two are exceptions: only we can encrypt
secrets, and only we reach the bytes of files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from django.db import connection
from django.utils import timezone

from federated_imputation.monolith.accounts import operations as account_operations
from federated_imputation.monolith.accounts import queries as accounts
from federated_imputation.monolith.files import operations as file_operations
from federated_imputation.monolith.files import queries as files

__all__ = ["BACKFILLS", "MOST_IN_A_BATCH", "Backfill", "Copy", "Difference", "find_backfill"]

MOST_IN_A_BATCH: Final = 5_000


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A row whose copy is not equal.

    Attributes:
        key: Of the row that has the last word, as text.
        source: Which row that is, for people: its kind and its key. Never a value.
        what: `missing`, `unequal`, `undecryptable`, `unreadable`, or `extra` for a copy of what is
            not there.
        is_for_a_person: Whether no run may decide which of the two is right.
    """

    key: str
    source: str
    what: str
    is_for_a_person: bool = False


class Backfill(Protocol):
    """What a run and a check need of a backfill. All but `prepare` run in a transaction."""

    @property
    def name(self) -> str: ...

    @property
    def what(self) -> str:
        """From where to where, for people."""

    @property
    def most(self) -> int:
        """Keys that a batch has at most, so that a kill costs little."""

    def prepare(self, cursor: str, *, most: int) -> None:
        """Do beforehand, in no transaction, what takes long of writing the next keys."""

    def count(self) -> int:
        """About how many rows there are to look at."""

    def keys_after(self, cursor: str, *, most: int) -> Sequence[str]:
        """The next keys in their order; from the first when `cursor` is ''."""

    def differences(self, keys: Sequence[str]) -> Sequence[Difference]:
        """What is not equal among the rows with these keys."""

    def write(self, keys: Sequence[str]) -> Sequence[str]:
        """Make the copies of these equal, of those that nobody else has locked; return which."""


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A `Backfill` by functions of the database.

    Attributes:
        table: The legacy table, whose rows have the last word.
        key: Its column that names a row; unique.
        key_type: The column's type.
        functions: `<functions>_unequal` compares, `<functions>_sync` copies.
        arguments: Theirs; `%s` is where the keys go.
    """

    name: str
    what: str
    table: str
    key: str
    key_type: str
    functions: str
    arguments: str = "%s"
    most: int = MOST_IN_A_BATCH

    def prepare(self, cursor: str, *, most: int) -> None:
        pass

    def count(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {self.table}")  # noqa: S608
            return int(cursor.fetchone()[0])

    def keys_after(self, cursor: str, *, most: int) -> list[str]:
        after = f"WHERE {self.key} > %s::{self.key_type}" if cursor else ""
        return self._column(
            f"SELECT {self.key}::text FROM {self.table} {after} "  # noqa: S608
            f"ORDER BY {self.table}.{self.key} LIMIT %s",
            [cursor, most] if cursor else [most],
        )

    def differences(self, keys: Sequence[str]) -> list[Difference]:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT key, source, difference FROM {self.functions}_unequal({self._keys()})"  # noqa: S608
                " ORDER BY source",
                [list(keys)],
            )
            return [
                Difference(key=key, source=source, what=what)
                for key, source, what in cursor.fetchall()
            ]

    def write(self, keys: Sequence[str]) -> list[str]:
        # What is read after the lock is there until the end of the transaction: a copy made of it
        # never overwrites a newer one.
        locked = self._column(
            f"SELECT {self.key}::text FROM {self.table} "  # noqa: S608
            f"WHERE {self.key} = ANY(%s::{self.key_type}[]) "
            f"ORDER BY {self.table}.{self.key} FOR SHARE SKIP LOCKED",
            [list(keys)],
        )
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {self.functions}_sync({self._keys()})", [locked])
        return locked

    def _keys(self) -> str:
        return self.arguments % f"%s::{self.key_type}[]"

    @staticmethod
    def _column(sql: str, values: list[str | int | list[str]]) -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            return [value for (value,) in cursor.fetchall()]


class _Credentials:
    """Plaintext secrets of the legacy system, encrypted.

    A key is the place of the column in `LEGACY_COLUMNS`, a colon and the row's primary key.
    """

    name = "credentials"
    what = "columns api_key, api_secret, user_token -> imputation_servicecredential"
    most = MOST_IN_A_BATCH

    def prepare(self, cursor: str, *, most: int) -> None:
        pass

    def count(self) -> int:
        return sum(map(accounts.count_legacy_secrets, accounts.LEGACY_COLUMNS))

    def keys_after(self, cursor: str, *, most: int) -> list[str]:
        first, _, pk = cursor.partition(":")
        keys: list[str] = []
        for place in range(int(first or 0), len(accounts.LEGACY_COLUMNS)):
            column = accounts.LEGACY_COLUMNS[place]
            found = accounts.legacy_keys_after(column, pk, most=most - len(keys))
            keys += [f"{place}:{key}" for key in found]
            if len(keys) == most:
                break
            pk = ""
        return keys

    def differences(self, keys: Sequence[str]) -> list[Difference]:
        different = []
        for place, pks in _by_place(keys).items():
            found = accounts.legacy_secrets(accounts.LEGACY_COLUMNS[place], pks)
            different += [
                Difference(
                    key=f"{place}:{each.pk}",
                    source=str(each),
                    what=standing,
                    is_for_a_person=standing != "missing",
                )
                for each, standing in zip(found, accounts.standings(found), strict=True)
                if standing != "equal"
            ]
        return different

    def write(self, keys: Sequence[str]) -> list[str]:
        return [
            f"{place}:{pk}"
            for place, pks in _by_place(keys).items()
            for pk in account_operations.encrypt_legacy_secrets(
                accounts.LEGACY_COLUMNS[place], pks, now=timezone.now()
            )
        ]


class _Bytes:
    """Bytes that lie at their paths alone, named by their content, too."""

    name = "bytes-of-files"
    what = "imputation_storedfile.path -> objects of the store, imputation_storedfile.content"
    most = 16

    def __init__(self) -> None:
        self._digested: dict[str, file_operations.Digested] = {}

    def prepare(self, cursor: str, *, most: int) -> None:
        found = self.differences(self.keys_after(cursor, most=most))
        missing = [int(each.key) for each in found if not each.is_for_a_person]
        self._digested = file_operations.digest_bytes(missing)

    def count(self) -> int:
        return files.count_stored_files()

    def keys_after(self, cursor: str, *, most: int) -> list[str]:
        return [str(key) for key in files.stored_file_keys(after=int(cursor or 0), most=most)]

    def differences(self, keys: Sequence[str]) -> list[Difference]:
        return [
            Difference(
                key=str(each.key),
                source=each.source,
                what=each.what,
                is_for_a_person=each.what != "missing",
            )
            for each in files.standings_in_store([int(key) for key in keys])
        ]

    def write(self, keys: Sequence[str]) -> list[str]:
        wanted = [int(key) for key in keys]
        return [str(key) for key in file_operations.adopt_bytes(wanted, self._digested)]


def _by_place(keys: Sequence[str]) -> dict[int, list[str]]:
    places: dict[int, list[str]] = {}
    for key in keys:
        place, _, pk = key.partition(":")
        places.setdefault(int(place), []).append(pk)
    return dict(sorted(places.items()))


BACKFILLS: Final[tuple[Backfill, ...]] = (
    Copy(
        name="notification-preferences",
        what="imputation_userprofile.email_notifications -> imputation_notificationpreference",
        table="imputation_userprofile",
        key="user_id",
        key_type="integer",
        functions="imputation_notificationpreference",
    ),
    Copy(
        name="files-of-jobs",
        what="imputation_imputationjob.input_file, result_files -> imputation_storedfile",
        table="imputation_imputationjob",
        key="id",
        key_type="uuid",
        functions="imputation_storedfile",
        arguments="%s, '{}', '{}'",
    ),
    Copy(
        name="result-files",
        what="imputation_resultfile -> imputation_storedfile",
        table="imputation_resultfile",
        key="id",
        key_type="bigint",
        functions="imputation_storedfile",
        arguments="'{}', %s, '{}'",
    ),
    Copy(
        name="genotype-files",
        what="imputation_genotypefile -> imputation_storedfile",
        table="imputation_genotypefile",
        key="id",
        key_type="uuid",
        functions="imputation_storedfile",
        arguments="'{}', '{}', %s",
    ),
    _Bytes(),
    _Credentials(),
)


def find_backfill(name: str) -> Backfill | None:
    return next((backfill for backfill in BACKFILLS if backfill.name == name), None)
