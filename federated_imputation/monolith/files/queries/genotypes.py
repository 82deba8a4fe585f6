"""Reads of genotype files, their runs and the sites of panels."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet, Sum

from federated_imputation.monolith.accounts import queries as accounts
from federated_imputation.monolith.files.models import FileRun, GenotypeFile, PanelSites, StoredFile
from federated_imputation.monolith.files.queries.results import FileGone
from federated_imputation.monolith.files.queries.stored import bytes_of_genotypes

__all__ = [
    "all_stored_bytes",
    "all_stored_bytes_by_user",
    "find_genotype_file",
    "find_run",
    "genotype_files",
    "is_kept",
    "is_of_tables",
    "latest_checks",
    "latest_run",
    "locate_genotypes",
    "runs_of",
    "site_tables",
    "storage_limit",
    "stored_bytes",
]

_MEGABYTE: Final = 1024 * 1024


def genotype_files(*, user_id: int) -> QuerySet[GenotypeFile]:
    """The user's own files, newest first."""
    return GenotypeFile.objects.filter(user_id=user_id).order_by("-created_at", "id")


def find_genotype_file(*, user_id: int, file_id: str) -> GenotypeFile | None:
    """The file, if it is the user's own; `None` also when `file_id` is no id at all."""
    try:
        parsed = UUID(file_id)
    except ValueError:
        return None
    return GenotypeFile.objects.filter(user_id=user_id, pk=parsed).first()


def locate_genotypes(file: GenotypeFile) -> Path:
    """Where the bytes of `file` lie.

    Raises:
        FileGone: They were taken from the disk.
    """
    path = bytes_of_genotypes(file_id=file.pk)
    if path is None:
        raise FileGone(file.pk)
    return path


def stored_bytes(*, user_id: int) -> int:
    """How much the user's files are together."""
    return GenotypeFile.objects.filter(user_id=user_id).aggregate(all=Sum("size"))["all"] or 0


def all_stored_bytes(*, user_id: int) -> int:
    """How much the user's files are together with the results of all their jobs."""
    return _kept().filter(user_id=user_id).aggregate(all=Sum("size"))["all"] or 0


def all_stored_bytes_by_user() -> dict[int, int]:
    """As `all_stored_bytes`, of everybody who stores something."""
    return dict(_kept().order_by().values_list("user_id").annotate(all=Sum("size", default=0)))


def _kept() -> QuerySet[StoredFile]:
    """The files that users keep here: not the inputs of jobs, nor what is gone or elsewhere."""
    kinds = (StoredFile.Kind.GENOTYPE, StoredFile.Kind.RESULT)
    return StoredFile.objects.filter(kind__in=kinds, is_available=True).exclude(path="")


def storage_limit(*, user_id: int) -> int:
    """How much the user's files may be together: the smaller of the profile's and the platform's.

    Bytes; a user without a profile has the platform's, `settings.GENOTYPE_STORAGE_MB`.
    """
    everybodys = settings.GENOTYPE_STORAGE_MB * _MEGABYTE
    own = accounts.storage_limit(user_id=user_id)
    return everybodys if own is None else min(own, everybodys)


def runs_of(file: GenotypeFile) -> QuerySet[FileRun]:
    """The checks and repairs of a file, newest first."""
    return FileRun.objects.filter(file=file).order_by("-created_at", "id")


def find_run(*, file: GenotypeFile, run_id: str) -> FileRun | None:
    """The run of this file; `None` also when `run_id` is no id at all."""
    try:
        parsed = UUID(run_id)
    except ValueError:
        return None
    return runs_of(file).filter(pk=parsed).first()


def latest_run(file: GenotypeFile, *, kind: str) -> FileRun | None:
    """The newest run of this kind, whatever became of it."""
    return runs_of(file).filter(kind=kind).first()


def latest_checks(file: GenotypeFile) -> list[FileRun]:
    """The finished checks of a file, newest first."""
    return list(runs_of(file).filter(kind=FileRun.Kind.CHECK, state=FileRun.State.DONE))


def site_tables(*, panel_ids: Collection[int]) -> Mapping[int, PanelSites]:
    """What is known of the sites of these panels, by panel."""
    return PanelSites.objects.in_bulk(list(panel_ids))


def is_kept(*, path: str) -> bool:
    """Whether a row names these bytes."""
    return GenotypeFile.objects.filter(path=path).exists()


def is_of_tables(*, folder: str) -> bool:
    """Whether these are the tables of sites that a panel has now."""
    return PanelSites.objects.filter(folder=folder).exists()
