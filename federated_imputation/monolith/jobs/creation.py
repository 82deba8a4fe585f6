"""How jobs come into being: their bytes first, then all of their rows in one transaction."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from apps.shared.api.origin import Origin
from federated_imputation.monolith.accounts import operations as accounts
from federated_imputation.monolith.files import operations as files
from federated_imputation.monolith.files.operations import StoredUpload
from federated_imputation.monolith.jobs import dispatch
from federated_imputation.monolith.jobs.checks import CheckedJob, InvalidJob, NewJob
from federated_imputation.monolith.jobs.models import ImputationJob, JobStatusUpdate, JobWork

__all__ = ["audit", "insert_jobs", "removed_when_refused", "stored"]


def stored(new: NewJob, *, user_id: int) -> StoredUpload:
    """The job's own copy, or link, of its genotypes.

    Raises:
        InvalidJob: The stored file was deleted meanwhile.
        OSError: The disk is full or not writable; nothing is left behind.
    """
    if new.input_file is not None:
        return files.keep_input(new.input_file)
    try:
        return files.link_input(user_id=user_id, file_id=str(new.genotype_file))
    except FileNotFoundError:
        raise InvalidJob({"genotype_file": ["The file is no longer stored."]}) from None


@contextmanager
def removed_when_refused(uploads: Sequence[StoredUpload]) -> Iterator[None]:
    """Remove the bytes of jobs that are over their user's quota, or for which there is no room.

    Whoever is over the quota would fill the disk, and whoever finds it full tries again.
    """
    try:
        yield
    except (accounts.QuotaExceeded, OSError):
        for upload in uploads:
            files.drop_input(upload)
        raise


def insert_jobs(
    ready: Sequence[tuple[CheckedJob, StoredUpload]], *, user_id: int, origin: Origin, now: datetime
) -> list[ImputationJob]:
    """Insert these jobs of one user with all that belongs to each, in the caller's transaction.

    Every job comes into being here, and so all of them are counted here, at once, against what the
    user may submit. A worker is told of each after the commit.

    Args:
        ready: Each with an upload that no other job names.

    Returns:
        The jobs, in the order of `ready`.

    Raises:
        QuotaExceeded: The user may not submit all of them; the transaction must end.
    """
    services = [checked.service.pk for checked, _ in ready]
    accounts.reserve_jobs(user_id=user_id, services=services, now=now)
    return [
        _inserted(checked, upload, user_id=user_id, origin=origin, now=now)
        for checked, upload in ready
    ]


def audit(
    action: str,
    job: ImputationJob,
    *,
    user_id: int | None,
    origin: Origin,
    now: datetime,
    details: dict[str, str] | None = None,
) -> None:
    """Append to the audit log what `user_id` did with the job; `None` for the platform itself."""
    accounts.record_audit(
        action=action,
        user_id=user_id,
        resource_type="job",
        resource_id=str(job.pk),
        details=details,
        origin=origin,
        now=now,
    )


def _inserted(
    checked: CheckedJob, upload: StoredUpload, *, user_id: int, origin: Origin, now: datetime
) -> ImputationJob:
    new = checked.new
    job = ImputationJob.objects.create(
        user_id=user_id,
        name=new.name,
        description=new.description,
        service=checked.service,
        reference_panel=checked.panel,
        input_format=new.input_format,
        build=checked.build,
        phasing=new.phasing,
        population=new.population,
        input_file=upload.path,
        input_file_size=upload.size,
        created_at=now,
    )
    files.name_bytes(source=f"input:{job.pk}", path=upload.path, sha256=upload.sha256)
    JobWork.objects.create(job=job, next_poll_at=now)
    JobStatusUpdate.objects.create(
        job=job,
        status=job.status,
        message="The job and its file are stored.",
        timestamp=now,
        external_data={"attempt": 1, "size": upload.size, "sha256": upload.sha256},
    )
    if new.user_token:
        accounts.store_credential(
            service_id=checked.service.pk,
            user_id=user_id,
            job_id=job.pk,
            kind=accounts.CredentialKind.JOB_TOKEN,
            secret=new.user_token,
            now=now,
        )
    audit("create_job", job, user_id=user_id, origin=origin, now=now)
    dispatch.send_on_commit(job.pk)
    return job
