"""Writes about parents and all of their children: submit, rename, cancel, retry, delete.

Each is one transaction: it happens to all of the children that it is about, or to none.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from django.db import transaction

from apps.shared.api.origin import Origin
from federated_imputation.monolith.accounts import operations as accounts
from federated_imputation.monolith.files import operations as files
from federated_imputation.monolith.files.operations import StoredUpload
from federated_imputation.monolith.jobs.checks import CheckedJob, InvalidJob
from federated_imputation.monolith.jobs.creation import (
    insert_jobs,
    removed_when_refused,
    stored,
)
from federated_imputation.monolith.jobs.history import lock
from federated_imputation.monolith.jobs.models import ChildJob, ImputationJob, ParentJob
from federated_imputation.monolith.jobs.operations import (
    JobGone,
    NotAllowedNow,
    cancel_job,
    delete_job,
    retry_job,
)
from federated_imputation.monolith.jobs.parents.checks import (
    InvalidStudy,
    NewStudy,
    Target,
    checked_study,
)
from federated_imputation.monolith.jobs.queries import shown_jobs
from federated_imputation.monolith.jobs.states import FINAL, Status

__all__ = [
    "InvalidStudy",
    "NewStudy",
    "NotAllowedNow",
    "Target",
    "cancel_parent",
    "create_parent",
    "delete_parent",
    "edit_parent",
    "retry_parent",
]


def create_parent(*, user_id: int, new: NewStudy, origin: Origin, now: datetime) -> ParentJob:
    """Store the genotypes once, and a parent with a job for each target; tell a worker of each.

    Every target is checked before anything is stored, and all rows are committed together. Each
    job names the bytes by a link of its own, so they go with the last of them.

    Raises:
        InvalidStudy: Something does not fit; nothing was stored.
        QuotaExceeded: The user may not submit all of them; nothing is left behind.
    """
    targets = checked_study(new, user_id=user_id, now=now)
    uploads = _stored(targets, user_id=user_id)
    with removed_when_refused(uploads), transaction.atomic():
        ready = list(zip(targets, uploads, strict=True))
        jobs = insert_jobs(ready, user_id=user_id, origin=origin, now=now)
        parent = ParentJob.objects.create(
            user_id=user_id,
            name=new.name,
            description=new.description,
            created_at=now,
            updated_at=now,
        )
        ChildJob.objects.bulk_create(
            ChildJob(job=job, parent=parent, position=position) for position, job in enumerate(jobs)
        )
        _audit("create_parent_job", parent, user_id=user_id, origin=origin, now=now)
    return parent


@transaction.atomic
def edit_parent(
    parent: ParentJob, *, changes: Mapping[str, str], user_id: int, origin: Origin, now: datetime
) -> None:
    """Change the parent's name or description; its children keep theirs."""
    allowed = {name: changes[name] for name in ("name", "description") if name in changes}
    ParentJob.objects.filter(pk=parent.pk).update(**allowed, updated_at=now)
    _audit("update_parent_job", parent, user_id=user_id, origin=origin, now=now)


@transaction.atomic
def cancel_parent(parent: ParentJob, *, user_id: int, origin: Origin, now: datetime) -> list[UUID]:
    """Ask for the end of every child that is not over, each as `cancel_job` does.

    Returns:
        The children that were asked.

    Raises:
        NotAllowedNow: All of them are over.
    """
    asked = []
    for job_id in _children(parent):
        try:
            cancel_job(job_id, user_id=user_id, origin=origin, now=now)
        except (JobGone, NotAllowedNow):  # over, or deleted, meanwhile
            continue
        asked.append(job_id)
    if not asked:
        raise NotAllowedNow("All jobs of this study are over; none can be cancelled.")
    _audit("cancel_parent_job", parent, user_id=user_id, origin=origin, now=now)
    return asked


@transaction.atomic
def retry_parent(parent: ParentJob, *, user_id: int, origin: Origin, now: datetime) -> list[UUID]:
    """Take every failed or cancelled child up again, each as `retry_job` does.

    Returns:
        The children that were taken up again.

    Raises:
        NotAllowedNow: None of them failed or was cancelled.
    """
    again = []
    for job_id in _children(parent):
        try:
            retry_job(job_id, user_id=user_id, origin=origin, now=now)
        except (JobGone, NotAllowedNow):  # not to be retried, or deleted
            continue
        again.append(job_id)
    if not again:
        raise NotAllowedNow("No job of this study failed or was cancelled; none can be retried.")
    _audit("retry_parent_job", parent, user_id=user_id, origin=origin, now=now)
    return again


@transaction.atomic
def delete_parent(parent: ParentJob, *, user_id: int, origin: Origin, now: datetime) -> None:
    """Delete a parent whose children are all over, and them with all that they have.

    Raises:
        NotAllowedNow: One of them is not over; none was deleted.
    """
    # All are locked before any is deleted, since the last deletion locks the parent, too: whoever
    # deletes a single child meanwhile takes the two locks in the same order.
    children = [job_id for job_id in _children(parent) if _is_over(job_id)]
    _audit("delete_parent_job", parent, user_id=user_id, origin=origin, now=now)
    for job_id in children:
        with suppress(JobGone):  # its own deletion began after the list was read
            delete_job(job_id, user_id=user_id, origin=origin, now=now)


def _is_over(job_id: UUID) -> bool:
    """Whether the child, locked now, is over; `False` for one that was deleted meanwhile.

    Raises:
        NotAllowedNow: It is not over.
    """
    row = lock(job_id)
    job = row.job if row else ImputationJob.objects.select_for_update().filter(pk=job_id).first()
    if job is not None and Status(job.status) not in FINAL:
        raise NotAllowedNow(
            f"A job of this study is {job.status}; cancel it before the study is deleted."
        )
    return job is not None


def _children(parent: ParentJob) -> list[UUID]:
    """The children's ids, in the one order in which all writers lock them."""
    found = ChildJob.objects.filter(parent_id=parent.pk, job__in=shown_jobs()).order_by("job_id")
    return list(found.values_list("job_id", flat=True))


def _stored(targets: Sequence[CheckedJob], *, user_id: int) -> list[StoredUpload]:
    """A link for each target to the same bytes, which are stored once.

    Raises:
        InvalidStudy: The stored file that was named was deleted meanwhile.
    """
    try:
        first = stored(targets[0].new, user_id=user_id)
    except InvalidJob as refused:
        raise InvalidStudy(refused.errors) from None
    return [first, *(files.share_input(first) for _ in targets[1:])]


def _audit(action: str, parent: ParentJob, *, user_id: int, origin: Origin, now: datetime) -> None:
    accounts.record_audit(
        action=action,
        user_id=user_id,
        resource_type="parent_job",
        resource_id=str(parent.pk),
        origin=origin,
        now=now,
    )
