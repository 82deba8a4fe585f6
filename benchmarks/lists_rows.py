"""The rows that `benchmarks.lists` reads: run by `manage.py shell` in the platform's monolith."""

from datetime import timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from federated_imputation.monolith.accounts.models import (
    AuditLog,
    UserProfile,
    UserRole,
    UserServiceAccess,
)
from federated_imputation.monolith.files.models import ResultFile
from federated_imputation.monolith.jobs.models import ImputationJob, JobStatusUpdate, JobWork
from federated_imputation.monolith.registry.models import ImputationService, ReferencePanel

__all__ = ["JOBS", "PANELS", "SERVICES", "USERS", "make"]

JOBS: Final = 100_000
USERS: Final = 10_000
PANELS: Final = 1_000
SERVICES: Final = 100
_AT_ONCE: Final = 2_000
_STATUSES: Final = ("completed", "completed", "completed", "failed", "cancelled")


def make() -> None:
    """100,000 jobs that are over, each with three updates and a file, of 10,000 users.

    Not in one transaction: the head of the audit chain changes with each of its rows, and what one
    transaction leaves behind of it cannot be cleared away before it ends.
    """
    now = timezone.now()
    users = User.objects.bulk_create(
        (User(username=f"researcher-{n}", email=f"r{n}@example.org") for n in range(USERS)),
        batch_size=_AT_ONCE,
    )
    role = UserRole.objects.get(name="researcher")
    UserProfile.objects.bulk_create(
        (UserProfile(user=user, role=role, country="Mali") for user in users),
        batch_size=_AT_ONCE,
    )
    services = ImputationService.objects.bulk_create(
        ImputationService(
            name=f"Service {n}",
            service_type="michigan",
            api_url=f"https://imputation-{n}.example.org",
            supported_formats=["vcf.gz"],
        )
        for n in range(SERVICES)
    )
    panels = ReferencePanel.objects.bulk_create(
        ReferencePanel(
            service=services[n % SERVICES],
            panel_id=f"apps@panel-{n}",
            name=f"Panel {n}",
            population="African",
            build="hg38",
        )
        for n in range(PANELS)
    )
    UserServiceAccess.objects.bulk_create(
        (UserServiceAccess(user=user, service=services[user.pk % SERVICES]) for user in users),
        batch_size=_AT_ONCE,
    )
    for start in range(0, JOBS, _AT_ONCE):
        jobs = ImputationJob.objects.bulk_create(
            ImputationJob(
                name=f"Study {n}",
                user=users[n % USERS],
                service=panels[n % PANELS].service,
                reference_panel=panels[n % PANELS],
                status=_STATUSES[n % len(_STATUSES)],
                progress_percentage=100,
                created_at=now - timedelta(minutes=n),
            )
            for n in range(start, start + _AT_ONCE)
        )
        JobWork.objects.bulk_create(JobWork(job=job, phase="done") for job in jobs)
        JobStatusUpdate.objects.bulk_create(
            JobStatusUpdate(
                job=job,
                status=job.status,
                message=f"Step {step}",
                timestamp=job.created_at + timedelta(seconds=step),
            )
            for job in jobs
            for step in range(3)
        )
        ResultFile.objects.bulk_create(
            ResultFile(job=job, file_type="imputed", filename="chr20.zip", file_size=1)
            for job in jobs
        )
        AuditLog.objects.bulk_create(
            AuditLog(
                user=job.user,
                action="job_submit",
                resource_type="job",
                resource_id=str(job.pk),
                timestamp=job.created_at,
            )
            for job in jobs
        )


def settle() -> None:
    """What the database does by itself in a day."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
