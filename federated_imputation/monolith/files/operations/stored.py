"""How bytes come to be named by a row, and when they go.

A row that names an object and the object itself come together, and neither is ever without the
other for a reader. Whoever is about to name one holds its lock, shared with all who do the same,
from before the object is there until the row is committed; whoever removes one needs the lock
alone, and looks for rows under it. A crash before the commit leaves an object that no row names,
which the sweep finds. So an object needs no time to live, and goes with the last row that names it.
"""

import logging
from collections.abc import Iterable
from typing import Final

from django.db import connection, transaction

from federated_imputation.monolith.files import objects, storage
from federated_imputation.monolith.files.models import StoredFile

__all__ = ["drop_bytes", "name_bytes", "remove_on_commit", "sweep_objects"]

logger = logging.getLogger(__name__)
_LOCK: Final = 1_868_720_741  # any number; the key beside it is of the content
_LOCK_DIGITS: Final = 8


@transaction.atomic
def name_bytes(*, source: str, path: str, sha256: str) -> None:
    """Put the bytes at `path` into the store, and name them in their row, with the caller's change.

    Args:
        source: Of a row that is there already, as `StoredFile.source` says.
        path: As in the row.
        sha256: Of the bytes at `path`, lower-case hex.

    Raises:
        OSError: The disk is full or not writable; the transaction must end.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", [_LOCK, _key(sha256)])
    objects.put(storage.absolute(path), sha256=sha256)
    rows = StoredFile.objects.filter(source=source)
    # No column of a job has it. First, since a row that tells of other bytes forgets its content.
    rows.filter(kind=StoredFile.Kind.INPUT).update(sha256=sha256)
    rows.update(content=sha256)


def remove_on_commit(paths: Iterable[str]) -> None:
    """Delete bytes once the rows that name them are gone for good; not those that others name.

    To be called before the rows are deleted, in the same transaction. Several rows may name one
    path, or one object. A crash in between leaves bytes to the sweep.

    Raises:
        TransactionManagementError: There is no transaction, and so no moment after it.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("Bytes go after the rows of a transaction.")
    wanted = [path for path in paths if path]
    rows = StoredFile.objects.filter(path__in=wanted).exclude(content="")
    contents = list(rows.values_list("content", flat=True).distinct())
    transaction.on_commit(lambda: _remove_unnamed(wanted, contents), robust=True)


def drop_bytes(*, path: str, sha256: str) -> None:
    """Delete at once the bytes at `path` and their object, as far as no row came to name them."""
    _remove_unnamed([path], [sha256])


def sweep_objects() -> int:
    """Delete the objects that no row names; return how many.

    One that is about to be named has its lock held, and stays.
    """
    gone = 0
    for contents in objects.shards():
        rows = StoredFile.objects.filter(content__in=contents)
        named = frozenset(rows.values_list("content", flat=True))
        gone += sum(_remove_object(content) for content in contents if content not in named)
    if gone:
        logger.info("Swept %d objects that no row names.", gone)
    return gone


def _remove_unnamed(paths: list[str], contents: list[str]) -> None:
    named = frozenset(
        StoredFile.objects.filter(path__in=paths).values_list("path", flat=True).distinct()
    )
    storage.remove(path for path in paths if path not in named)
    for content in contents:
        _remove_object(content)


@transaction.atomic
def _remove_object(sha256: str) -> bool:
    """Delete an object unless a row names it, or somebody is about to; return whether it went."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_LOCK, _key(sha256)])
        (is_ours,) = cursor.fetchone()
    # Only now: what was committed before the lock was ours is seen by this statement.
    if not is_ours or StoredFile.objects.filter(content=sha256).exists():
        return False
    objects.remove(sha256)
    return True


def _key(sha256: str) -> int:
    """The part of a digest that fits; contents that agree in it wait for each other, no more."""
    return int.from_bytes(bytes.fromhex(sha256[:_LOCK_DIGITS]), signed=True)
