"""Who may do what with templates, batches and schedules. Every check of it is here.

| who | sees a template | uses it | edits, deletes it | batches and schedules |
| --- | --- | --- | --- | --- |
| owner | yes | if they may submit to its service | yes | all of them |
| anybody else | if it is public | likewise | no: 403, or 404 if it is not public | no: 404 |

What makes, edits, resumes or repeats jobs needs the right to submit to their service.
"""

from uuid import UUID

from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError

from federated_imputation.monolith.accounts.queries import Rights
from federated_imputation.monolith.jobs.access import refuse_submission
from federated_imputation.monolith.jobs.plans import queries
from federated_imputation.monolith.jobs.plans.models import JobBatch, JobTemplate, ScheduledJob

__all__ = [
    "named_template",
    "own_batch",
    "own_schedule",
    "own_template",
    "resumed_schedule",
    "retried_batch",
    "seen_template",
    "usable_template",
]


def seen_template(by: Rights, *, template_id: str) -> JobTemplate:
    """The template, if the caller may look at it.

    Raises:
        NotFound: Otherwise.
    """
    template = queries.find_template(user_id=by.user_id or 0, template_id=template_id)
    if template is None:
        raise NotFound
    return template


def own_template(by: Rights, *, template_id: str) -> JobTemplate:
    """The template, if it is the caller's own.

    Raises:
        NotFound: The caller may not even look at it.
        PermissionDenied: It is somebody else's.
    """
    template = seen_template(by, template_id=template_id)
    if template.user_id != by.user_id:
        raise PermissionDenied("Only the owner of a template may do this.")
    return template


def usable_template(by: Rights, *, template_id: str) -> JobTemplate:
    """The template, if the caller may look at it and submit to its service.

    Raises:
        NotFound: The caller may not even look at it.
        PermissionDenied: The caller may not submit there.
    """
    template = seen_template(by, template_id=template_id)
    refuse_submission(by, service_id=template.service_id)
    return template


def own_batch(by: Rights, *, batch_id: str) -> JobBatch:
    """The batch, if it is the caller's own.

    Raises:
        NotFound: Otherwise.
    """
    batch = queries.find_batch(user_id=by.user_id or 0, batch_id=batch_id)
    if batch is None:
        raise NotFound
    return batch


def own_schedule(by: Rights, *, schedule_id: str) -> ScheduledJob:
    """The schedule, if it is the caller's own.

    Raises:
        NotFound: Otherwise.
    """
    schedule = queries.find_schedule(user_id=by.user_id or 0, schedule_id=schedule_id)
    if schedule is None:
        raise NotFound
    return schedule


def retried_batch(by: Rights, *, batch_id: str) -> JobBatch:
    """The batch, if it is the caller's own and the caller may still submit to its service.

    Raises:
        NotFound: It is not the caller's.
        PermissionDenied: The caller may not submit there any more.
    """
    batch = own_batch(by, batch_id=batch_id)
    job = queries.jobs_of_batch(batch.pk).first()
    if job is not None:
        refuse_submission(by, service_id=job.service_id)
    return batch


def named_template(by: Rights, *, template_id: UUID) -> JobTemplate:
    """The template that a body names, if the caller may look at it and submit to its service.

    Raises:
        ValidationError: The caller may not look at it.
        PermissionDenied: The caller may not submit there.
    """
    template = queries.find_template(user_id=by.user_id or 0, template_id=str(template_id))
    if template is None:
        unknown = f'Invalid pk "{template_id}" - object does not exist.'
        raise ValidationError({"template": [unknown]})
    refuse_submission(by, service_id=template.service_id)
    return template


def resumed_schedule(by: Rights, *, schedule_id: str) -> ScheduledJob:
    """The schedule, if it is the caller's own and the caller may still submit to its service.

    Raises:
        NotFound: It is not the caller's.
        PermissionDenied: The caller may not submit there any more.
    """
    schedule = own_schedule(by, schedule_id=schedule_id)
    if schedule.template is not None:
        refuse_submission(by, service_id=schedule.template.service_id)
    return schedule
