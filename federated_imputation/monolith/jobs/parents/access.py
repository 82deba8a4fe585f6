"""Who may do what with a parent.

| who | sees | edits, cancels, retries, deletes |
| owner | yes | yes |
| every job by role | yes | no |
| anybody else | no: 404, as for an id that is none | |

Who manages the jobs of a service does so with each child there, as with every other job.
"""

from collections.abc import Sequence

from rest_framework.exceptions import NotFound, PermissionDenied

from federated_imputation.monolith.accounts.queries import Rights
from federated_imputation.monolith.jobs import access
from federated_imputation.monolith.jobs.models import ParentJob
from federated_imputation.monolith.jobs.parents.queries import find_parent
from federated_imputation.monolith.jobs.states import RETRYABLE, Status

__all__ = ["owned", "refuse_submissions", "retried", "seen"]


def refuse_submissions(by: Rights, *, service_ids: Sequence[int]) -> None:
    """Let those pass who may send a job to each of these services.

    Raises:
        PermissionDenied: With a sentence, and for each target that is refused why.
    """
    told: list[dict[str, list[str]]] = []
    for service_id in service_ids:
        try:
            access.refuse_submission(by, service_id=service_id)
        except PermissionDenied as refused:
            told.append({"service": [str(refused.detail)]})
        else:
            told.append({})
    if any(told):
        sentence = "You may not submit to all of these services; nothing was submitted."
        raise PermissionDenied({"detail": sentence, "targets": told})


def seen(by: Rights, *, parent_id: str) -> ParentJob:
    """The parent, if the caller may look at it.

    Raises:
        NotFound: Otherwise.
    """
    parent = find_parent(by, parent_id=parent_id)
    if parent is None:
        raise NotFound
    return parent


def owned(by: Rights, *, parent_id: str) -> ParentJob:
    """The parent, if it is the caller's own.

    Raises:
        NotFound: The caller may not even look at it.
        PermissionDenied: It is somebody else's.
    """
    parent = seen(by, parent_id=parent_id)
    if parent.user_id != by.user_id:
        raise PermissionDenied("Only the owner of a study may do this.")
    return parent


def retried(by: Rights, *, parent_id: str) -> ParentJob:
    """The parent, if it is the caller's own, who still may submit what would be sent again.

    Raises:
        NotFound: The caller may not even look at it.
        PermissionDenied: Otherwise.
    """
    parent = owned(by, parent_id=parent_id)
    for child in parent.children.all():
        if Status(child.job.status) in RETRYABLE:
            access.refuse_submission(by, service_id=child.job.service_id)
    return parent
