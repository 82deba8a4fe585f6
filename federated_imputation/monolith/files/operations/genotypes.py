"""Writes about genotype files: stored once, looked at, deleted, swept."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from apps.genotypes.upload_formats import extension_of
from apps.shared.api.origin import Origin
from apps.shared.streaming import safe_filename
from federated_imputation.monolith.accounts.operations import record_audit
from federated_imputation.monolith.files import first_look, queries, storage
from federated_imputation.monolith.files.models import FileRun, GenotypeFile
from federated_imputation.monolith.files.operations.storage_use import recount_on_commit
from federated_imputation.monolith.files.operations.stored import (
    drop_bytes,
    name_bytes,
    remove_on_commit,
)

__all__ = [
    "InUse",
    "KeptFile",
    "Misfits",
    "StorageFull",
    "delete_genotype_file",
    "forget_genotypes",
    "keep_genotypes",
    "locked_storage",
    "record_genotypes_download",
    "sweep_genotypes",
]

logger = logging.getLogger(__name__)
_MEGABYTE: Final = 1024 * 1024
_LONGEST_NAME: Final = 255
_FORGOTTEN_AT_ONCE: Final = 100
_PLINK_PARTS: Final = (".bed", ".bim", ".fam")


class Misfits(Exception):
    """Raised with a sentence that says which of the parts are wrong, and what to send."""


class StorageFull(Exception):
    """There is no room for the file among those that the user keeps.

    Attributes:
        is_hopeless: Whether it would not even fit alone.
    """

    def __init__(self, message: str, *, is_hopeless: bool) -> None:
        super().__init__(message)
        self.is_hopeless = is_hopeless


class InUse(Exception):
    """Raised with a sentence that says what uses the file."""


@dataclass(frozen=True, kw_only=True)
class KeptFile:
    """A file that is stored; `is_new` is false when it was here already."""

    file: GenotypeFile
    is_new: bool


def keep_genotypes(
    parts: Sequence["UploadedFile[bytes]"], *, user_id: int, origin: Origin, now: datetime
) -> KeptFile:
    """Store an upload and look at it; the same file under the same name is stored once.

    Args:
        parts: One file, or the three of a PLINK set.

    Raises:
        Misfits: The parts are no file that can be checked.
        first_look.NoGenotypes: The content is none; nothing is stored.
        StorageFull: The user keeps too much.
        OSError: The disk is full; nothing is stored.
    """
    name = _name_of(parts)
    refuse_overflow(user_id=user_id, size=sum(part.size or 0 for part in parts))
    if len(parts) == 1:
        stored = storage.keep_upload(parts[0], name=name, folder=storage.GENOTYPES)
    else:
        members = {safe_filename(part.name or ""): part.chunks() for part in parts}
        stored = storage.store_set(members, name=name, folder=storage.GENOTYPES)
    with _removed_unless_kept(stored) as keep:
        looked = first_look.look(storage.absolute(stored.path), name=name)
        with locked_storage(user_id=user_id):
            known = queries.genotype_files(user_id=user_id).filter(sha256=stored.sha256, name=name)
            if (file := known.first()) is not None:
                return KeptFile(file=file, is_new=False)
            refuse_overflow(user_id=user_id, size=stored.size)
            file = GenotypeFile.objects.create(
                user_id=user_id,
                name=name,
                path=stored.path,
                size=stored.size,
                sha256=stored.sha256,
                format=looked.format,
                first_look=looked.report.to_json(),
                created_at=now,
            )
            name_bytes(source=f"genotype:{file.pk}", path=stored.path, sha256=stored.sha256)
            _audit("store_file", file, origin=origin, now=now)
            recount_on_commit(user_id=user_id)
        keep()
    return KeptFile(file=file, is_new=True)


def delete_genotype_file(file_id: UUID, *, user_id: int, origin: Origin, now: datetime) -> None:
    """Delete a file: its rows, and its bytes after them.

    Jobs that were made from it have the bytes by a link of their own, so they need not be asked.

    Raises:
        GenotypeFile.DoesNotExist: Somebody was first.
        InUse: A check or repair reads it.
    """
    with transaction.atomic():
        # The lock holds back whoever would start a run now.
        file = GenotypeFile.objects.select_for_update().get(pk=file_id, user_id=user_id)
        run = queries.runs_of(file).filter(state__in=FileRun.ACTIVE).first()
        if run is not None:
            raise InUse(f"A {run.kind} of this file is {run.state}; cancel it first.")
        _audit("delete_file", file, origin=origin, now=now)
        remove_on_commit([file.path])
        file.delete()
        recount_on_commit(user_id=user_id)


@transaction.atomic
def forget_genotypes(*, user_id: int) -> int:
    """Delete some files of a user who goes, with their runs, and their bytes after them.

    A worker that reads one of them finds itself without a lease within a second, and writes nothing
    more.

    Returns:
        How many; 0 when there is none left.
    """
    found = GenotypeFile.objects.select_for_update().filter(user_id=user_id).order_by("pk")
    paths = dict(found.values_list("pk", "path")[:_FORGOTTEN_AT_ONCE])
    remove_on_commit(paths.values())
    GenotypeFile.objects.filter(pk__in=paths).delete()
    return len(paths)


def record_genotypes_download(file: GenotypeFile, *, origin: Origin, now: datetime) -> None:
    """Audit that the owner is about to get the bytes of a file."""
    _audit("data_access", file, origin=origin, now=now)


def refuse_overflow(*, user_id: int, size: int) -> None:
    """Let so many bytes more pass.

    Raises:
        StorageFull: The user would keep more than `queries.storage_limit`.
    """
    most = queries.storage_limit(user_id=user_id)
    kept = queries.stored_bytes(user_id=user_id)
    if kept + size <= most:
        return
    is_hopeless = size > most
    needed = f"this needs {-(-size // _MEGABYTE):,} MB"
    raise StorageFull(
        f"You store {kept // _MEGABYTE:,} MB of the {most // _MEGABYTE:,} MB that you may, and "
        + (
            f"{needed}. Ask an administrator for a higher limit."
            if is_hopeless
            else f"{needed} more. Delete files that you do not need."
        ),
        is_hopeless=is_hopeless,
    )


@contextmanager
def locked_storage(*, user_id: int) -> Iterator[None]:
    """A transaction in which nobody else adds to the user's files."""
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user_id)
        yield


def sweep_genotypes(*, now: datetime) -> int:
    """Delete bytes of genotypes and tables that no row names, a day after they were written.

    A run ends long before a day is over, so nothing that a child process reads or writes goes.
    """
    gone = storage.swept(
        storage.GENOTYPES, is_known=lambda path: queries.is_kept(path=path), now=now
    )
    gone += storage.swept(storage.MAKING, is_known=lambda path: False, now=now)
    gone += storage.swept(storage.PANELS, is_known=_is_of_tables, now=now)
    if gone:
        logger.info("Swept %d files of genotypes that no row names.", len(gone))
    return len(gone)


def _is_of_tables(path: str) -> bool:
    folder = PurePosixPath(*PurePosixPath(path).parts[:3])  # panels/<panel>/<version>
    return queries.is_of_tables(folder=str(folder))


def _name_of(parts: Sequence["UploadedFile[bytes]"]) -> str:
    """How people shall see the file.

    Raises:
        Misfits: The parts do not belong together.
    """
    names = [safe_filename(part.name or "") for part in parts]
    for name in names:
        if len(name) > _LONGEST_NAME:
            raise Misfits(f"The name is longer than {_LONGEST_NAME} characters; shorten it.")
    if len(names) == 1:
        return names[0]
    by_ending = {extension_of(name): name for name in names}
    stems = {name[:-4] for name in names}
    if len(names) != 3 or set(by_ending) != set(_PLINK_PARTS) or len(stems) != 1:
        raise Misfits(
            "Several parts must be one PLINK set: a .bed, a .bim and a .fam file of the same "
            f"name. These came: {', '.join(names)}."
        )
    return f"{stems.pop()}.zip"


@contextmanager
def _removed_unless_kept(stored: storage.StoredUpload) -> Iterator[Any]:
    kept = []
    try:
        yield lambda: kept.append(stored)
    finally:
        if not kept:
            drop_bytes(path=stored.path, sha256=stored.sha256)


def _audit(
    action: str,
    file: GenotypeFile,
    *,
    origin: Origin | None,
    now: datetime,
    details: Mapping[str, Any] | None = None,
) -> None:
    record_audit(
        action=action,
        user_id=file.user_id,
        resource_type="genotype_file",
        resource_id=str(file.pk),
        details=dict(details or {}),
        origin=origin,
        now=now,
    )
