"""Bytes that lay at their paths before there was a store, put into it without a copy.

Digesting them takes long and needs no row, so it is done first, in no transaction; what was found
counts as long as the file is the one that was read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from federated_imputation.monolith.files import storage
from federated_imputation.monolith.files.models import StoredFile
from federated_imputation.monolith.files.operations.stored import name_bytes

__all__ = ["Digested", "adopt_bytes", "digest_bytes"]


@dataclass(frozen=True, kw_only=True)
class Digested:
    """What a file held when it was read, and which file that was.

    Attributes:
        sha256: Lower-case hex.
        identity: Device, inode, bytes, and when it was written, in nanoseconds.
    """

    sha256: str
    identity: tuple[int, int, int, int]


def digest_bytes(keys: Sequence[int]) -> dict[str, Digested]:
    """Read the bytes of these stored files; one that is gone or written meanwhile is left out.

    Returns:
        What was found, by path as the rows have it.
    """
    paths = StoredFile.objects.filter(pk__in=keys).order_by("pk").values_list("path", flat=True)
    found = {}
    for path in dict.fromkeys(paths):
        try:
            if (file := storage.find(path)) is not None:
                before = _identity(file)
                _, sha256 = storage.digest(file)
                if _identity(file) == before:
                    found[path] = Digested(sha256=sha256, identity=before)
        except FileNotFoundError:
            continue
    return found


def adopt_bytes(keys: Sequence[int], digested: Mapping[str, Digested]) -> list[int]:
    """Put the bytes of these stored files into the store, in the caller's transaction.

    Nothing but `content` changes, and the SHA-256 of inputs: each path goes on leading to the same
    bytes. Left alone is what somebody else has locked, and a file that is not the one that was
    digested.

    Returns:
        The keys of those that are in the store now.

    Raises:
        OSError: The disk is full or not writable; the transaction must end.
    """
    rows = StoredFile.objects.select_for_update(skip_locked=True).filter(pk__in=keys)
    rows = rows.only("source", "path")  # legacy times may be none of Python's
    adopted: list[int] = []
    known: set[str] = set()  # once in the store, a path may lead to another inode
    for row in rows.order_by("pk"):
        file, found = storage.find(row.path), digested.get(row.path)
        if file is None or found is None:
            continue
        if row.path in known or _identity(file) == found.identity:
            name_bytes(source=row.source, path=row.path, sha256=found.sha256)
            known.add(row.path)
            adopted.append(row.pk)
    return adopted


def _identity(file: Path) -> tuple[int, int, int, int]:
    found = file.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
