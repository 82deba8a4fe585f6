"""Reads of result files, and of the uploads of jobs."""

from pathlib import Path
from uuid import UUID

from django.db.models import QuerySet

from apps.federation.protocol import Download
from federated_imputation.monolith.deletions.queries import being_deleted
from federated_imputation.monolith.files import storage
from federated_imputation.monolith.files.models import ResultFile, StoredFile
from federated_imputation.monolith.files.queries.stored import bytes_of_result

__all__ = [
    "FileGone",
    "arrived_result",
    "find_file",
    "locate",
    "results_of",
    "results_of_job",
    "stored_paths",
]


class FileGone(Exception):
    """The row is there, its bytes are not (any more)."""


def results_of(*, user_id: int) -> QuerySet[ResultFile]:
    """The result files of the user's own jobs, newest first; nobody sees those of others."""
    gone = being_deleted(service="job__service_id", panel="job__reference_panel_id", job="job_id")
    return ResultFile.objects.filter(~gone, job__user_id=user_id).order_by("-created_at", "-id")


def results_of_job(*, job_id: UUID) -> QuerySet[ResultFile]:
    """The result files of one job in the order in which they arrived."""
    return ResultFile.objects.filter(job_id=job_id).order_by("id")


def find_file(*, user_id: int, file_id: int, job_id: UUID | None = None) -> ResultFile | None:
    """The file, if it is the user's own (and belongs to `job_id`, when one is given)."""
    found = results_of(user_id=user_id).filter(pk=file_id)
    if job_id is not None:
        found = found.filter(job_id=job_id)
    return found.first()


def stored_paths(*, job_id: UUID) -> frozenset[str]:
    """Paths of the files of this job that are here."""
    here = StoredFile.objects.filter(
        job_id=job_id, kind=StoredFile.Kind.RESULT, is_available=True
    ).exclude(path="")
    return frozenset(here.values_list("path", flat=True))


def arrived_result(*, path: str) -> Download | None:
    """The whole file for `path`, there or where a holder of the job left it that could not say so.

    `None` when there is none; then it is to be fetched.
    """
    whole = storage.arrived(storage.absolute(path))
    if whole is None:
        return None
    size, sha256 = storage.digest(whole)
    return Download(path=whole, size=size, sha256=sha256)


def locate(file: ResultFile) -> Path:
    """Where the bytes of `file` lie.

    Raises:
        FileGone: Nowhere: they expired, were never fetched (legacy rows) or were deleted.
    """
    path = bytes_of_result(result_id=file.pk)
    if path is None:
        raise FileGone(file.pk)
    return path
