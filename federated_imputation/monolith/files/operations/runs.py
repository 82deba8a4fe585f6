"""Writes about checks and repairs: what people ask for, and what a worker that holds one does.

The story of a run is told in `models.genotypes`. A worker writes under its claim alone; what people
write raises the fence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from apps.shared.leases import Claim, LeaseLost, Leases
from apps.shared.streaming import safe_filename
from federated_imputation.monolith.files import queries, storage
from federated_imputation.monolith.files.models import FileRun, GenotypeFile
from federated_imputation.monolith.files.operations.genotypes import (
    locked_storage,
    refuse_overflow,
)
from federated_imputation.monolith.files.operations.storage_use import recount_on_commit
from federated_imputation.monolith.files.operations.stored import name_bytes

__all__ = [
    "RUNS",
    "AlreadyAtWork",
    "AlreadyOver",
    "Made",
    "begin_run",
    "cancel_run",
    "claim_due_runs",
    "fail_run",
    "finish_check",
    "finish_repair",
    "give_back",
    "note_progress",
    "start_run",
]

_LONGEST_MESSAGE: Final = 2000
_LONGEST_STAGE: Final = 40
_SLOTS_LOCK: Final = 4_070_301_914  # any number; the lock is per database


def _due(_now: datetime) -> Q:
    return Q(state__in=FileRun.ACTIVE)


RUNS: Final = Leases(table=FileRun, due=_due, order=("created_at", "id"))


class AlreadyAtWork(Exception):
    """Another run of the kind is at work on the file."""

    def __init__(self, run: FileRun) -> None:
        super().__init__(
            f"Another {run.kind} of this file is {run.state}. Wait until it is over, or cancel it."
        )
        self.run = run


class AlreadyOver(Exception):
    """Raised with a sentence that says what became of the run."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """A file that a repair made: whole and on the disk, at a place of the run's own."""

    place: Path
    name: str
    size: int
    sha256: str
    format: str
    chromosome: str | None
    first_look: Mapping[str, Any]


@transaction.atomic
def start_run(
    file_id: UUID, *, user_id: int, kind: str, parameters: Mapping[str, Any], now: datetime
) -> FileRun:
    """Ask for a check or a repair; the tick gives it to a worker.

    Asking again for what is at work already is asking once.

    Raises:
        GenotypeFile.DoesNotExist: The file is gone.
        AlreadyAtWork: Another run of the kind, with other parameters, is at work on the file.
    """
    file = GenotypeFile.objects.select_for_update().get(pk=file_id, user_id=user_id)
    at_work = queries.runs_of(file).filter(kind=kind, state__in=FileRun.ACTIVE).first()
    if at_work is None:
        return FileRun.objects.create(
            file=file,
            kind=kind,
            parameters=dict(parameters),
            state=FileRun.State.WAITING,
            stage="",
            progress=0,
            message="",
            created_at=now,
        )
    if at_work.parameters != parameters:
        raise AlreadyAtWork(at_work)
    return at_work


@transaction.atomic
def cancel_run(run_id: UUID, *, now: datetime) -> FileRun:
    """End a run; whoever works on it notices within a second. Asking twice is asking once.

    Raises:
        FileRun.DoesNotExist: The file is gone, and the run with it.
        AlreadyOver: It is done or failed.
    """
    run = FileRun.objects.select_for_update().get(pk=run_id)
    if run.state == FileRun.State.CANCELLED:
        return run
    if run.state not in FileRun.ACTIVE:
        raise AlreadyOver(f"This {run.kind} is {run.state} already.")
    run.state = FileRun.State.CANCELLED
    run.fence += 1
    run.lease_until = run.dispatched_until = None
    run.finished_at = now
    run.save()
    return run


@transaction.atomic
def claim_due_runs(*, now: datetime) -> list[UUID]:
    """Runs for which there is a slot, oldest first; they count as announced from now on.

    A child process takes a core for minutes, so that only `settings.FILE_RUNS_AT_ONCE` are at work
    at a time, whatever the number of workers. Ticks that overlap: one of them announces nothing.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_SLOTS_LOCK])
        if cursor.fetchone() != (True,):
            return []
    taken = FileRun.objects.filter(
        Q(lease_until__gt=now) | Q(dispatched_until__gt=now), state__in=FileRun.ACTIVE
    ).count()
    free = settings.FILE_RUNS_AT_ONCE - taken
    announced_for = timedelta(seconds=settings.JOB_DISPATCH_SECONDS)
    return RUNS.claim_due(now=now, most=free, announced_for=announced_for) if free > 0 else []


def begin_run(claim: Claim, *, now: datetime) -> FileRun:
    """The run with its file, running from its beginning.

    Raises:
        LeaseLost: The claim does not hold any more.
    """
    begun = claim.rows().update(
        state=FileRun.State.RUNNING,
        stage="",
        progress=0,
        started_at=Coalesce(F("started_at"), now),
    )
    run = FileRun.objects.select_related("file").filter(pk=claim.pk).first() if begun else None
    if run is None:
        raise LeaseLost
    return run


def note_progress(claim: Claim, *, stage: str, progress: int) -> None:
    """Write down how far the run is.

    Raises:
        LeaseLost: The claim does not hold any more; the run may be cancelled.
    """
    progress = min(max(progress, 0), 100)
    if not claim.rows().update(stage=stage[:_LONGEST_STAGE], progress=progress):
        raise LeaseLost


def give_back(claim: Claim) -> None:
    """Let another worker do the run from its beginning, at once."""
    claim.rows().update(
        state=FileRun.State.WAITING, stage="", progress=0, lease_until=None, dispatched_until=None
    )


@transaction.atomic
def finish_check(claim: Claim, *, report: Mapping[str, Any], now: datetime) -> None:
    """The check is done.

    Raises:
        LeaseLost: The claim does not hold any more.
    """
    _finish(_locked(claim), report=report, now=now)


def finish_repair(
    claim: Claim,
    *,
    user_id: int,
    made: Sequence[Made],
    done: Sequence[Mapping[str, Any]],
    now: datetime,
) -> None:
    """The repair is done: what it made are files of the user from now on.

    The bytes have their places before the rows that name them are committed; without them they are
    swept.

    Raises:
        LeaseLost: The claim does not hold any more; nothing is kept.
        StorageFull: The user keeps too much; nothing is kept.
    """
    with locked_storage(user_id=user_id):
        run = _locked(claim)
        refuse_overflow(user_id=user_id, size=sum(file.size for file in made))
        files = [
            GenotypeFile(
                user_id=user_id,
                name=safe_filename(file.name)[:255],
                path=storage.adopt(file.place, name=file.name, folder=storage.GENOTYPES),
                size=file.size,
                sha256=file.sha256,
                format=file.format,
                first_look=dict(file.first_look),
                made_from_id=run.file_id,
                created_at=now,
            )
            for file in made
        ]
        GenotypeFile.objects.bulk_create(files)
        for row in files:
            name_bytes(source=f"genotype:{row.pk}", path=row.path, sha256=row.sha256)
        recount_on_commit(user_id=user_id)
        shown = [
            {"file": str(row.pk), "name": row.name, "chromosome": file.chromosome}
            for row, file in zip(files, made, strict=True)
        ]
        _finish(run, report={"made": shown, "done": list(done)}, now=now)


@transaction.atomic
def fail_run(claim: Claim, *, message: str, now: datetime) -> None:
    """The run has failed, and `message` says why.

    Raises:
        LeaseLost: The claim does not hold any more.
    """
    run = _locked(claim)
    run.state = FileRun.State.FAILED
    run.message = message[:_LONGEST_MESSAGE]
    run.lease_until = run.dispatched_until = None
    run.finished_at = now
    run.save()


def _locked(claim: Claim) -> FileRun:
    run: FileRun | None = claim.rows().select_for_update().first()
    if run is None:
        raise LeaseLost
    return run


def _finish(run: FileRun, *, report: Mapping[str, Any], now: datetime) -> None:
    run.state = FileRun.State.DONE
    run.progress = 100
    run.report = dict(report)
    run.lease_until = run.dispatched_until = None
    run.finished_at = now
    run.save()
