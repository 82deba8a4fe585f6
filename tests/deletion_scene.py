"""What is deleted in tests: people, services, panels and jobs with rows and bytes everywhere."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.db import models
from django.utils import timezone

from federated_imputation.monolith.accounts.models import (
    ApiToken,
    AuditLog,
    ServiceCredential,
    ServicePermission,
    ServiceUserGroup,
    ServiceUserGroupMembership,
    UserServiceAccess,
)
from federated_imputation.monolith.deletions.models import Deletion
from federated_imputation.monolith.files.models import FileRun, GenotypeFile, PanelSites, ResultFile
from federated_imputation.monolith.jobs.models import (
    ChildJob,
    ImputationJob,
    JobStatusUpdate,
    JobWork,
    ParentJob,
)
from federated_imputation.monolith.jobs.plans.models import (
    BatchJob,
    JobBatch,
    JobTemplate,
    ScheduledExecution,
    ScheduledJob,
)
from federated_imputation.monolith.registry.models import ImputationService, ReferencePanel
from federated_imputation.monolith.registry.operations import delete_panel, remove_service
from federated_imputation.monolith.sagas.deletion import advance
from tests.factories import make_job, make_panel, make_service, make_user
from tests.job_world import ORIGIN, Clock
from tests.unit.monolith.accounts.people import client_of

__all__ = ["KINDS", "LATER", "Crash", "Scene", "finish_deletions"]

LATER = timedelta(minutes=10)
KINDS = ("user", "service", "panel", "job")


def finish_deletions() -> None:
    """Do what a worker does with all that is on its way out."""
    for deletion in Deletion.objects.all():
        assert advance(deletion.pk)


class Crash(Exception):
    """Stands for a kill at this point: what was not committed is not there."""


class Scene:
    """Ada with a completed job, what it brought, files, plans and rights; Eve with the same."""

    def __init__(self, root: Path) -> None:
        self.clock = Clock(now=timezone.now())
        self.boss = User.objects.filter(username="boss").first() or make_user("boss", role="admin")
        number = User.objects.count()
        self.service = make_service(f"AFR {number}")
        self.panel = make_panel(self.service)
        self.ada = make_user(f"ada{number}", role="researcher")
        self.job = self._things_of(self.ada, self.service, self.panel, root)
        self.other_service = make_service(f"EUR {number}")
        self.other_panel = make_panel(self.other_service)
        self.eve = make_user(f"eve{number}", role="researcher")
        self.other_job = self._things_of(self.eve, self.other_service, self.other_panel, root)

    def _things_of(
        self, user: User, service: ImputationService, panel: ReferencePanel, root: Path
    ) -> ImputationJob:
        job = make_job(user, panel, status="completed", input_file=f"uploads/input/{user.pk}.gz")
        JobWork.objects.create(job=job, phase="done")
        JobStatusUpdate.objects.create(job=job, status="completed")
        result = f"results/{job.pk}/1/a.txt"
        ResultFile.objects.create(job=job, filename="a", file_type="summary", file_path=result)
        now = self.clock()
        stored = {"service": service, "encrypted": "x", "created_at": now, "updated_at": now}
        ServiceCredential.objects.create(user=user, job_id=job.pk, kind="job_token", **stored)
        ServiceCredential.objects.create(user=user, kind="api_token", **stored)
        ServicePermission.objects.create(service=service, user=user, permission="view_jobs")
        ApiToken.objects.create(
            user=user, name="t", sha256=f"{user.pk:064}", created_at=now, expires_at=now
        )
        UserServiceAccess.objects.create(service=service, user=user)
        group = ServiceUserGroup.objects.create(service=service, name="Trainees")
        ServiceUserGroupMembership.objects.create(group=group, user=user)
        PanelSites.objects.create(panel=panel)
        genotypes = f"genotypes/{user.pk}.vcf.gz"
        file = GenotypeFile.objects.create(
            user=user, name="a", path=genotypes, size=1, sha256="0" * 64, format="vcf.gz"
        )
        FileRun.objects.create(file=file, kind="check")
        self._plans_of(user, job, file)
        AuditLog.objects.create(action="login", user=user)
        for path in (str(job.input_file), result, genotypes):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(b"x")
        return job

    def _plans_of(self, user: User, job: ImputationJob, file: GenotypeFile) -> None:
        """A template that everybody may use, a schedule, and a job of a batch and of a study."""
        study = ParentJob.objects.create(user=user, name="Study")
        ChildJob.objects.create(job=job, parent=study, position=0)
        template = JobTemplate.objects.create(
            user=user,
            name="Ours",
            service=job.service,
            reference_panel=job.reference_panel,
            is_public=True,
        )
        batch = JobBatch.objects.create(user=user, name="Cohort", template=template)
        BatchJob.objects.create(job=job, batch=batch, position=1)
        schedule = ScheduledJob.objects.create(
            user=user,
            name="Nightly",
            template=template,
            genotype_file=file,
            schedule_type="daily",
            scheduled_time=self.clock(),
        )
        ScheduledExecution.objects.create(
            schedule=schedule,
            due_at=self.clock(),
            executed_at=self.clock(),
            outcome="submitted",
            job=job,
        )

    def subject(self, kind: str) -> models.Model:
        """What is deleted, as a row."""
        subjects: dict[str, models.Model] = {
            "user": self.ada,
            "service": self.service,
            "panel": self.panel,
            "job": self.job,
        }
        return subjects[kind]

    def delete(self, kind: str) -> Deletion:
        """Begin to delete Ada, her service, its panel or her job, as people do."""
        asked: dict[str, Any] = {"user_id": self.boss.pk, "origin": ORIGIN, "now": self.clock()}
        if kind == "user":
            answer = client_of(self.boss).delete(f"/api/users/{self.ada.pk}/")
            assert answer.status_code == 204, answer.content
        elif kind == "service":
            remove_service(self.service.pk, **asked)
        elif kind == "panel":
            delete_panel(self.panel.pk, **asked)
        else:
            answer = client_of(self.ada).delete(f"/api/jobs/{self.job.pk}/")
            assert answer.status_code == 204, answer.content
        self.clock.now = timezone.now()
        return Deletion.objects.order_by("-id")[0]

    def left(self, kind: str, root: Path) -> list[str]:
        """What is left of the subject, of which nothing may be."""
        rows = [
            ImputationJob.objects.filter(pk=self.job.pk),
            JobWork.objects.filter(job_id=self.job.pk),
            JobStatusUpdate.objects.filter(job_id=self.job.pk),
            ResultFile.objects.filter(job_id=self.job.pk),
            ServiceCredential.objects.filter(job_id=self.job.pk),
            ParentJob.objects.filter(user_id=self.ada.pk),
            BatchJob.objects.filter(job_id=self.job.pk),
            Deletion.objects.all(),
        ]
        paths = [str(self.job.input_file), f"results/{self.job.pk}/1/a.txt"]
        if kind == "user":
            rows += [
                User.objects.filter(pk=self.ada.pk),
                ServiceCredential.objects.filter(user_id=self.ada.pk),
                ServicePermission.objects.filter(user_id=self.ada.pk),
                ApiToken.objects.filter(user_id=self.ada.pk),
                GenotypeFile.objects.filter(user_id=self.ada.pk),
                JobBatch.objects.filter(user_id=self.ada.pk),
                JobTemplate.objects.filter(user_id=self.ada.pk),
                ScheduledJob.objects.filter(user_id=self.ada.pk),
                ServiceUserGroupMembership.objects.filter(user_id=self.ada.pk),
                UserServiceAccess.objects.filter(user_id=self.ada.pk),
                AuditLog.objects.filter(user_id=self.ada.pk),
            ]
            paths.append(f"genotypes/{self.ada.pk}.vcf.gz")
        if kind == "service":
            rows += [
                ImputationService.objects.filter(pk=self.service.pk),
                ServiceCredential.objects.filter(service_id=self.service.pk),
                ServicePermission.objects.filter(service_id=self.service.pk),
                ServiceUserGroup.objects.filter(service_id=self.service.pk),
                UserServiceAccess.objects.filter(service_id=self.service.pk),
            ]
        if kind in {"service", "panel"}:
            rows += [
                ReferencePanel.objects.filter(pk=self.panel.pk),
                PanelSites.objects.filter(panel_id=self.panel.pk),
                JobTemplate.objects.filter(reference_panel_id=self.panel.pk),
            ]
        here = [path for path in paths if (root / path).exists()]
        return [str(row) for found in rows for row in found] + here

    def assert_others_are_whole(self, root: Path) -> None:
        assert User.objects.filter(pk=self.eve.pk, is_active=True).exists()
        assert ImputationJob.objects.get(pk=self.other_job.pk).files.count() == 1
        assert ServiceCredential.objects.filter(user=self.eve).count() == 2
        assert GenotypeFile.objects.filter(user=self.eve).exists()
        assert PanelSites.objects.filter(panel=self.other_panel).exists()
        assert ScheduledJob.objects.get(user=self.eve).template is not None
        assert JobBatch.objects.get(user=self.eve).total_jobs == 1
        assert ParentJob.objects.filter(user=self.eve).exists()
        for path in (str(self.other_job.input_file), f"genotypes/{self.eve.pk}.vcf.gz"):
            assert (root / path).exists()
