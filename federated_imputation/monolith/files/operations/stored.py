"""What code adds to the rows of stored files, which the database makes, and when their bytes go."""

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction

from federated_imputation.monolith.files import storage
from federated_imputation.monolith.files.models import StoredFile

__all__ = ["note_digest", "remove_on_commit"]


def note_digest(*, job_id: UUID, sha256: str) -> None:
    """Note, in the caller's transaction, the digest of a job's input, which no column of it has.

    Args:
        sha256: Lower-case hex.
    """
    StoredFile.objects.filter(source=f"input:{job_id}").update(sha256=sha256)


def remove_on_commit(paths: Iterable[str]) -> None:
    """Delete bytes once the rows that named them are gone for good; not those that others name.

    Several rows of the earlier system may name one path. A crash in between leaves bytes to the
    sweep.
    """
    wanted = [path for path in paths if path]
    transaction.on_commit(lambda: _remove_unnamed(wanted), robust=True)


def _remove_unnamed(paths: list[str]) -> None:
    named = frozenset(
        StoredFile.objects.filter(path__in=paths).values_list("path", flat=True).distinct()
    )
    storage.remove(path for path in paths if path not in named)
