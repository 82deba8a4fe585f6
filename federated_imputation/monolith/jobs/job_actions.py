"""What operators do to jobs on their admin pages: by the same rights as over the API."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.http import HttpRequest
from django.utils import timezone
from rest_framework.exceptions import NotFound, PermissionDenied

from apps.shared.admin.confirming import NotDone, RowAction
from apps.shared.api.origin import origin_of
from federated_imputation.monolith.accounts.queries import Rights, find_rights
from federated_imputation.monolith.jobs import access
from federated_imputation.monolith.jobs.models import ImputationJob
from federated_imputation.monolith.jobs.operations import (
    JobGone,
    NotAllowedNow,
    cancel_job,
    retry_job,
)
from federated_imputation.monolith.jobs.states import FINAL, RETRYABLE, Status

__all__ = ["JOB_ACTIONS"]

_Allowed = Callable[..., ImputationJob]


@contextmanager
def _told_refusals() -> Iterator[None]:
    try:
        yield
    except PermissionDenied as refused:
        raise NotDone(str(refused.detail)) from None
    except NotAllowedNow as refused:
        raise NotDone(str(refused)) from None
    except (JobGone, NotFound):
        raise NotDone("There is no such job any more.") from None


def _may(request: HttpRequest, job: ImputationJob, allowed: _Allowed) -> Rights:
    """The rights of whoever asks, which let the job pass `allowed`.

    Raises:
        NotDone: They do not.
    """
    by = find_rights(request.user)
    with _told_refusals():
        allowed(by, job_id=str(job.pk))
    return by


def _foresee_cancelling(request: HttpRequest, job: ImputationJob) -> str:
    _may(request, job, access.managed)
    if Status(job.status) in FINAL:
        raise NotDone(f"A job that is {job.status} cannot be cancelled.")
    return f"It is {job.status}: what was not sent ends at once, the rest when its service says so."


def _foresee_retrying(request: HttpRequest, job: ImputationJob) -> str:
    _may(request, job, access.retried)
    if Status(job.status) not in RETRYABLE:
        raise NotDone(f"A job that is {job.status} cannot be retried.")
    return f"It is {job.status}, and is taken up again as a new attempt."


def _cancel(request: HttpRequest, job: ImputationJob) -> str:
    by = _may(request, job, access.managed)
    _do(cancel_job, request, job, by)
    return "Asked to end."


def _retry(request: HttpRequest, job: ImputationJob) -> str:
    by = _may(request, job, access.retried)
    _do(retry_job, request, job, by)
    return "Taken up again."


def _do(
    operation: Callable[..., Any], request: HttpRequest, job: ImputationJob, by: Rights
) -> None:
    with _told_refusals():
        operation(job.pk, user_id=by.user_id, origin=origin_of(request), now=timezone.now())


JOB_ACTIONS: Final = (
    RowAction(
        name="cancel",
        title="Cancel",
        permission="view",
        foresee=_foresee_cancelling,
        act=_cancel,
    ),
    RowAction(
        name="retry",
        title="Retry",
        permission="view",
        foresee=_foresee_retrying,
        act=_retry,
    ),
)
