"""Writes about result files: those that arrived, are read or go, and the sweep."""

import logging
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Final
from uuid import UUID

from django.db import transaction

from apps.federation.protocol import Download
from apps.shared.api.origin import Origin
from federated_imputation.monolith.accounts.operations import record_audit
from federated_imputation.monolith.accounts.queries import audit_rows
from federated_imputation.monolith.files import storage
from federated_imputation.monolith.files.models import ResultFile
from federated_imputation.monolith.files.operations.stored import name_bytes, remove_on_commit

__all__ = [
    "file_type_of",
    "forget_results",
    "keep_result",
    "make_place",
    "record_download",
    "sweep_results",
]

logger = logging.getLogger(__name__)
_ONE_DOWNLOAD: Final = timedelta(days=1)


def make_place(*, path: str, holder: int) -> Path:
    """Where a result on its way to `path` is put when it is whole, by one holder of its job.

    The folder is made. `keep_result` moves the file on, or `queries.arrived_result` finds it.
    """
    target = storage.absolute(path)
    storage.make_folder(target.parent)
    return storage.arriving(target, holder=holder)


def keep_result(
    *, job_id: UUID, name: str, path: str, download: Download, output: str, now: datetime
) -> ResultFile:
    """Give a whole file its place at `path`, for good, and record it in the caller's transaction.

    Args:
        name: The service's name for it, folders included.
        path: As `queries.result_path` names it.
        download: Where the file lies, its size and its SHA-256.
        output: The service's output that it belongs to.
    """
    target = storage.absolute(path)
    if download.path != target:
        storage.settle(download.path, target)
    file = ResultFile.objects.create(
        job_id=job_id,
        file_type=file_type_of(name, output=output),
        filename=name[-255:],
        file_path=path,
        file_size=download.size,
        checksum=download.sha256,
        created_at=now,
    )
    name_bytes(source=f"result:{file.pk}", path=path, sha256=download.sha256)
    return file


@transaction.atomic
def record_download(
    file: ResultFile, *, from_start: bool, user_id: int, origin: Origin, now: datetime
) -> None:
    """Audit that a user is about to get bytes of a result file: one row for each download.

    A piece from further on belongs to the download that the user began in the 24 hours before;
    without one it is a download of its own.
    """
    # Two pieces that are asked for at once must see each other's row.
    ResultFile.objects.select_for_update(no_key=True).filter(pk=file.pk).first()
    what = {"resource_type": "result_file", "resource_id": str(file.pk)}
    if not from_start:
        recent = audit_rows(user_id=user_id, action="data_access", since=now - _ONE_DOWNLOAD)
        if recent.filter(**what).exists():
            return
    record_audit(
        action="data_access",
        user_id=user_id,
        details={"job_id": str(file.job_id)},
        origin=origin,
        now=now,
        **what,
    )


@transaction.atomic
def forget_results(*, job_id: UUID) -> int:
    """Delete the rows of a job's results, in the caller's transaction if there is one, then bytes.

    Bytes that other rows name, too, stay. A crash in between leaves bytes to the sweep.
    """
    rows = ResultFile.objects.filter(job_id=job_id)
    paths = [path for path in rows.values_list("file_path", flat=True) if path]
    remove_on_commit(paths)
    rows.delete()
    return len(paths)


def sweep_results(*, now: datetime) -> int:
    """Delete result bytes that no row names, a day after they were written; return how many."""
    gone = storage.swept(
        storage.RESULTS,
        is_known=lambda path: ResultFile.objects.filter(file_path=path).exists(),
        now=now,
    )
    if gone:
        logger.info("Swept %d result files that no row names.", len(gone))
    return len(gone)


def file_type_of(name: str, *, output: str) -> ResultFile.FileType:
    """What kind of file a service's result is, from its name and the output it belongs to."""
    path = PurePosixPath(name.lower())
    if output.endswith("logs") or path.suffix == ".log" or path.name.endswith("-trace.csv"):
        return ResultFile.FileType.LOG_FILE
    if path.suffix == ".html" or path.stem == "qc_report":
        return ResultFile.FileType.QUALITY_REPORT
    if path.suffix == ".zip" or path.name.endswith((".vcf.gz", ".info.gz", ".bcf")):
        return ResultFile.FileType.IMPUTED_DATA
    if "statistics" in path.parts or path.suffix in {".txt", ".tsv", ".csv"}:
        return ResultFile.FileType.SUMMARY
    return ResultFile.FileType.METADATA
