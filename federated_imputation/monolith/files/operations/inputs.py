"""Writes about the uploads from which jobs are made: bytes first, then the job that names them."""

import logging
from collections.abc import Callable
from datetime import datetime

from django.core.files.uploadedfile import UploadedFile

from federated_imputation.monolith.files import queries, storage
from federated_imputation.monolith.files.operations.stored import drop_bytes, remove_on_commit
from federated_imputation.monolith.files.storage import StoredUpload

__all__ = [
    "drop_input",
    "forget_input",
    "keep_input",
    "link_input",
    "share_input",
    "sweep_inputs",
]

logger = logging.getLogger(__name__)


def keep_input(upload: "UploadedFile[bytes]") -> StoredUpload:
    """Store an upload, whole and on the disk, for a job that is about to name it.

    Raises:
        OSError: The disk is full or not writable; nothing is left behind.
    """
    return storage.keep_upload(upload, name=upload.name or "")


def link_input(*, user_id: int, file_id: str) -> StoredUpload:
    """Give the bytes of a file that the user keeps a second name, for a job; each can go alone.

    Raises:
        FileNotFoundError: The user does not keep this file (any more).
    """
    file = queries.find_genotype_file(user_id=user_id, file_id=file_id)
    if file is None:
        raise FileNotFoundError(file_id)
    try:
        source = queries.locate_genotypes(file)
    except queries.FileGone:
        raise FileNotFoundError(file_id) from None
    path = storage.link_upload(source, name=file.upload_name)
    return StoredUpload(path=path, size=file.size, sha256=file.sha256)


def share_input(upload: StoredUpload) -> StoredUpload:
    """Give the bytes of `upload` another name, for another job; the last name keeps them.

    Raises:
        OSError: The disk is not writable; nothing is left behind.
    """
    path = storage.link_upload(storage.absolute(upload.path), name=storage.upload_name(upload.path))
    return StoredUpload(path=path, size=upload.size, sha256=upload.sha256)


def forget_input(path: str) -> None:
    """Delete the upload at `path` once the transaction under way, in which its job goes, is kept.

    To be called before the job is deleted. The bytes stay while another row names them. A crash in
    between leaves them to the sweep.
    """
    remove_on_commit([path])


def drop_input(upload: StoredUpload) -> None:
    """Delete at once an upload that no job came to name."""
    drop_bytes(path=upload.path, sha256=upload.sha256)


def sweep_inputs(*, is_known: Callable[[str], bool], now: datetime) -> int:
    """Delete uploads that no job names, a day after they were written; return how many."""
    gone = storage.swept(storage.UPLOADS, is_known=is_known, now=now)
    if gone:
        logger.info("Swept %d uploads that no job names.", len(gone))
    return len(gone)
