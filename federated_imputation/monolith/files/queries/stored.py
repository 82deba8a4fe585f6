"""Where the bytes of a file lie, whatever it belongs to: the one way by which readers find them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from django.db import connection

from federated_imputation.monolith.files import objects, storage
from federated_imputation.monolith.files.models import StoredFile

__all__ = [
    "Standing",
    "bytes_of_genotypes",
    "bytes_of_input",
    "bytes_of_result",
    "count_stored_files",
    "standings_in_store",
    "stored_file_keys",
]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How the bytes of a stored file are in the store, where that is not as it should be.

    Attributes:
        key: Of the stored file.
        source: Where it is named.
        what: `missing` lies at its path alone, `unreadable` likewise, and cannot be read;
            `unequal` is in the store, and is not what its checksum says.
    """

    key: int
    source: str
    what: str


def bytes_of_input(*, job_id: UUID) -> Path | None:
    """Where the input of a job lies; `None` when it has none, or it is not here (any more)."""
    return _bytes_of(f"input:{job_id}", [job_id], [], [])


def bytes_of_result(*, result_id: int) -> Path | None:
    """Where a result lies; `None` when it expired, was never fetched, or is not here any more."""
    return _bytes_of(f"result:{result_id}", [], [result_id], [])


def bytes_of_genotypes(*, file_id: UUID) -> Path | None:
    """Where a genotype file lies; `None` when it is not here (any more)."""
    return _bytes_of(f"genotype:{file_id}", [], [], [file_id])


def count_stored_files() -> int:
    """How many rows name a file."""
    return StoredFile.objects.count()


def stored_file_keys(*, after: int, most: int) -> list[int]:
    """The next keys of stored files, in their order."""
    rows = StoredFile.objects.filter(pk__gt=after).order_by("pk")
    return list(rows.values_list("pk", flat=True)[:most])


def standings_in_store(keys: Sequence[int]) -> list[Standing]:
    """Those of these files whose bytes are here, and not in the store as they should be."""
    rows = StoredFile.objects.filter(pk__in=keys).exclude(path="").order_by("pk")
    rows = rows.only("source", "path", "sha256", "content")  # legacy times may be none of Python's
    return [
        Standing(key=row.pk, source=row.source, what=what) for row in rows if (what := _what(row))
    ]


def _what(row: StoredFile) -> str:
    if objects.find(row.content) is not None:
        return "unequal" if row.sha256 not in {"", row.content} else ""
    file = storage.find(row.path)
    if file is None:
        return ""
    return "missing" if os.access(file, os.R_OK) else "unreadable"


def _bytes_of(
    source: str, jobs: Sequence[UUID], results: Sequence[int], genotypes: Sequence[UUID]
) -> Path | None:
    """The object that the file's row names; bytes that are in no store yet, at its path.

    A row from before the copies, which no backfill has seen yet, is read as it will be copied.
    """
    row = StoredFile.objects.filter(source=source)
    found = row.values_list("content", "path", "is_available").first()
    if found is None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT '', path, is_available FROM imputation_storedfile_told("
                "%s::uuid[], %s::bigint[], %s::uuid[]) WHERE source = %s",
                [list(jobs), list(results), list(genotypes), source],
            )
            found = cursor.fetchone()
    if found is None:
        return None
    content, path, is_available = found
    return (objects.find(content) or storage.find(path)) if is_available else None
