"""What is planned goes with the user, the service or the panel that it belongs to."""

from django.db import transaction

from federated_imputation.monolith.deletions.queries import Kind, Subject
from federated_imputation.monolith.jobs.plans.models import JobBatch, JobTemplate, ScheduledJob
from federated_imputation.monolith.jobs.queries import belongs_to

__all__ = ["forget_plans"]


@transaction.atomic
def forget_plans(subject: Subject) -> None:
    """Delete the templates of a subject that goes, and a user's schedules and batches.

    What others made of such a template stays without it, as when its owner deletes it. The jobs of
    a batch are not deleted here.
    """
    if subject.kind is Kind.USER:
        ScheduledJob.objects.filter(belongs_to(subject)).delete()
        JobBatch.objects.filter(belongs_to(subject)).delete()
    JobTemplate.objects.filter(belongs_to(subject)).delete()
