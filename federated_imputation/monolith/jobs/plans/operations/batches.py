"""Writes of batches: several stored files sent with the same settings, a job for each.

A batch is made whole or not at all. Afterwards its jobs live their own lives, so it is cancelled
and taken up again job by job: each change is a transaction of its own, asking twice is asking
once, and what was done before a crash stays done.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction

from apps.genotypes.upload_formats import extension_of
from apps.shared.api.origin import Origin
from federated_imputation.monolith.accounts.operations import record_audit
from federated_imputation.monolith.files import queries as files
from federated_imputation.monolith.jobs import operations as jobs
from federated_imputation.monolith.jobs.checks import CheckedJob, checked
from federated_imputation.monolith.jobs.creation import insert_jobs, removed_when_refused, stored
from federated_imputation.monolith.jobs.history import lock
from federated_imputation.monolith.jobs.operations import (
    InvalidJob,
    JobGone,
    NewJob,
    NotAllowedNow,
)
from federated_imputation.monolith.jobs.plans import queries
from federated_imputation.monolith.jobs.plans.decisions import FINAL, batch_status
from federated_imputation.monolith.jobs.plans.models import (
    LONGEST_NAME,
    BatchJob,
    JobBatch,
    JobTemplate,
)
from federated_imputation.monolith.jobs.plans.operations.templates import count_use
from federated_imputation.monolith.jobs.states import FINAL as FINAL_OF_A_JOB
from federated_imputation.monolith.jobs.states import Status

if TYPE_CHECKING:
    from federated_imputation.monolith.files.models import GenotypeFile

__all__ = ["NewBatch", "cancel_batch", "create_batch", "delete_batch", "retry_batch"]


@dataclass(frozen=True, kw_only=True)
class NewBatch:
    """What a user asks for.

    Attributes:
        settings: Fields of each job but name, genotypes and token, by the names of `NewJob`.
        template: From which the settings are; `None` when they are from none.
        genotype_files: Ids of the user's own files, no two the same.
    """

    name: str
    settings: Mapping[str, Any]
    genotype_files: tuple[UUID, ...]
    description: str = ""
    template: JobTemplate | None = None
    user_token: str = field(default="", repr=False)


def create_batch(*, user_id: int, new: NewBatch, origin: Origin, now: datetime) -> JobBatch:
    """Make a job of each file, named after it, or none at all.

    Raises:
        InvalidJob: Something does not fit now; what is wrong with a file names the file.
        QuotaExceeded: The user may not submit all of them; nothing is left behind.
    """
    wanted = _checked(new, user_id=user_id, now=now)
    uploads = [stored(job.new, user_id=user_id) for job in wanted]
    with removed_when_refused(uploads), transaction.atomic():
        batch = JobBatch.objects.create(
            user_id=user_id,
            name=new.name,
            description=new.description,
            template=new.template,
            created_at=now,
            updated_at=now,
        )
        ready = list(zip(wanted, uploads, strict=True))
        made = insert_jobs(ready, user_id=user_id, origin=origin, now=now)
        BatchJob.objects.bulk_create(
            BatchJob(batch=batch, job=job, position=position)
            for position, job in enumerate(made, 1)
        )
        if new.template is not None:
            count_use(new.template.pk, times=len(made))
        _audit("create_batch", batch, user_id=user_id, origin=origin, now=now, jobs=len(made))
        batch.refresh_from_db()
    return batch


def cancel_batch(batch: JobBatch, *, user_id: int, origin: Origin, now: datetime) -> int:
    """Ask for the end of each job that is not over.

    Returns:
        How many jobs were asked.

    Raises:
        NotAllowedNow: All of them are over.
    """
    asked = 0
    for job in queries.jobs_of_batch(batch.pk).exclude(status__in=FINAL_OF_A_JOB):
        try:
            jobs.cancel_job(job.pk, user_id=user_id, origin=origin, now=now)
            asked += 1
        except (JobGone, NotAllowedNow):
            continue  # it was deleted or ended meanwhile
    if not asked:
        raise NotAllowedNow("No job of this batch can be cancelled: all of them are over.")
    _audit("cancel_batch", batch, user_id=user_id, origin=origin, now=now, jobs=asked)
    return asked


def retry_batch(
    batch: JobBatch, *, user_id: int, origin: Origin, now: datetime, user_token: str = ""
) -> int:
    """Take up again each job that failed, as `jobs.operations.retry_job` does.

    Returns:
        How many there were.

    Raises:
        NotAllowedNow: None failed.
    """
    again = 0
    for job in queries.jobs_of_batch(batch.pk).filter(status=Status.FAILED):
        try:
            jobs.retry_job(job.pk, user_id=user_id, origin=origin, now=now, user_token=user_token)
            again += 1
        except (JobGone, NotAllowedNow):
            continue  # somebody deleted it or took it up meanwhile
    if not again:
        raise NotAllowedNow("No job of this batch failed, so there is none to retry.")
    _audit("retry_batch", batch, user_id=user_id, origin=origin, now=now, jobs=again)
    return again


@transaction.atomic
def delete_batch(batch: JobBatch, *, user_id: int, origin: Origin, now: datetime) -> None:
    """Delete a batch that is over, with its jobs and all that they brought.

    Raises:
        NotAllowedNow: A job of it is not over; nothing is deleted.
    """
    members = list(queries.jobs_of_batch(batch.pk).values_list("pk", flat=True))
    # Jobs before their batch, as the database locks them (see the migration).
    for job_id in members:
        lock(job_id)
    status = batch_status(queries.count_jobs_of_batch(batch.pk))
    if status not in FINAL:
        raise NotAllowedNow(f"A batch that is {status} cannot be deleted; cancel it first.")
    for job_id in members:
        with suppress(JobGone):  # deleted before it was locked
            jobs.delete_job(job_id, user_id=user_id, origin=origin, now=now)
    _audit("delete_batch", batch, user_id=user_id, origin=origin, now=now, jobs=len(members))
    JobBatch.objects.filter(pk=batch.pk).delete()


def _checked(new: NewBatch, *, user_id: int, now: datetime) -> list[CheckedJob]:
    """The jobs that are asked for, in the order of their files.

    Raises:
        InvalidJob: With everything that is wrong; what is wrong with all files is told once.
    """
    found = [
        files.find_genotype_file(user_id=user_id, file_id=str(each)) for each in new.genotype_files
    ]
    unknown = [
        f'Invalid pk "{file_id}" - object does not exist.'
        for file_id, file in zip(new.genotype_files, found, strict=True)
        if file is None
    ]
    if unknown:
        raise InvalidJob({"genotype_files": unknown})
    jobs_wanted: list[CheckedJob] = []
    refusals: dict[str, list[str]] = {}
    for file in filter(None, found):
        try:
            jobs_wanted.append(checked(_job(new, file), user_id=user_id, now=now))
        except InvalidJob as refused:
            errors = dict(refused.errors)
            of_the_file = errors.pop("genotype_file", [])
            refusals.setdefault("genotype_files", []).extend(
                f"{file.name}: {sentence}" for sentence in of_the_file
            )
            refusals.update(errors)
            if errors:  # of the settings, so of every other file
                break
    if refusals:
        raise InvalidJob({name: told for name, told in refusals.items() if told})
    return jobs_wanted


def _job(new: NewBatch, file: "GenotypeFile") -> NewJob:
    stem = file.name.removesuffix(_ending(file.name)) or file.name
    return NewJob(
        name=stem[:LONGEST_NAME],
        genotype_file=file.pk,
        user_token=new.user_token,
        **new.settings,
    )


def _ending(name: str) -> str:
    """What of the name says what is in the file, as it is spelled there."""
    extension = extension_of(name)
    return name[-len(extension) :] if extension else ""


def _audit(
    action: str, batch: JobBatch, *, user_id: int, origin: Origin, now: datetime, jobs: int
) -> None:
    record_audit(
        action=action,
        user_id=user_id,
        resource_type="job_batch",
        resource_id=str(batch.pk),
        details={"jobs": jobs},
        origin=origin,
        now=now,
    )
