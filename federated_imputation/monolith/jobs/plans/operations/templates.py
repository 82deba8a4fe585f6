"""Writes of templates, and the jobs that are made from one."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import F

from apps.shared.api.origin import Origin
from federated_imputation.monolith.accounts.operations import record_audit
from federated_imputation.monolith.jobs import operations as jobs
from federated_imputation.monolith.jobs.checks import checked_settings
from federated_imputation.monolith.jobs.models import ImputationJob
from federated_imputation.monolith.jobs.operations import NewJob
from federated_imputation.monolith.jobs.plans.models import JobTemplate

__all__ = [
    "NewTemplate",
    "TemplateUse",
    "count_use",
    "create_template",
    "delete_template",
    "edit_template",
    "settings_of",
    "use_template",
]


@dataclass(frozen=True, kw_only=True)
class NewTemplate:
    """What a template is made of; the settings are those of a job."""

    name: str
    service: int
    reference_panel: int
    description: str = ""
    input_format: str = "vcf"
    build: str = "hg38"
    phasing: bool = False
    population: str = ""
    is_public: bool = False


@dataclass(frozen=True, kw_only=True)
class TemplateUse:
    """One job that is made from a template: its name, its genotypes, its token.

    Attributes:
        overrides: Fields of a job that are to be other than the template has them.
    """

    name: str
    input_file: "UploadedFile[bytes] | None" = None
    genotype_file: UUID | None = None
    user_token: str = field(default="", repr=False)
    overrides: Mapping[str, Any] = field(default_factory=dict)


@transaction.atomic
def create_template(
    *, user_id: int, new: NewTemplate, origin: Origin, now: datetime
) -> JobTemplate:
    """Keep the settings of jobs under a name.

    Raises:
        InvalidJob: They do not fit together.
    """
    template = JobTemplate(user_id=user_id, created_at=now)
    _write(template, asdict(new), now=now)
    _audit("create_template", template, user_id=user_id, origin=origin, now=now)
    return template


@transaction.atomic
def edit_template(
    template_id: UUID, *, changes: Mapping[str, Any], user_id: int, origin: Origin, now: datetime
) -> JobTemplate:
    """Change what `changes` names; jobs that were made from the template stay as they are.

    Raises:
        InvalidJob: The settings would not fit together; nothing changes.
        JobTemplate.DoesNotExist: Somebody deleted it meanwhile.
    """
    template = JobTemplate.objects.select_for_update().get(pk=template_id, user_id=user_id)
    _write(template, changes, now=now)
    _audit(
        "update_template", template, user_id=user_id, origin=origin, now=now, fields=sorted(changes)
    )
    return template


@transaction.atomic
def delete_template(template_id: UUID, *, user_id: int, origin: Origin, now: datetime) -> None:
    """Delete a template; batches stay without it, and schedules say that it is gone.

    Raises:
        JobTemplate.DoesNotExist: Somebody was first.
    """
    template = JobTemplate.objects.select_for_update().get(pk=template_id, user_id=user_id)
    _audit("delete_template", template, user_id=user_id, origin=origin, now=now)
    template.delete()


@transaction.atomic
def use_template(
    template: JobTemplate, *, user_id: int, use: TemplateUse, origin: Origin, now: datetime
) -> ImputationJob:
    """Make one job from a template, with every check of a job that is made without one.

    Raises:
        InvalidJob: Something does not fit now; nothing was stored.
    """
    new = NewJob(
        name=use.name,
        input_file=use.input_file,
        genotype_file=use.genotype_file,
        user_token=use.user_token,
        **settings_of(template, use.overrides),
    )
    job = jobs.create_job(user_id=user_id, new=new, origin=origin, now=now)
    count_use(template.pk)
    return job


def settings_of(
    template: JobTemplate, overrides: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The fields of a job that a template decides, by the names of `NewJob`."""
    return {
        "description": template.description,
        "service": template.service_id,
        "reference_panel": template.reference_panel_id,
        "input_format": template.input_format,
        "build": template.build,
        "phasing": template.phasing,
        "population": template.population,
        **(overrides or {}),
    }


def count_use(template_id: UUID, *, times: int = 1) -> None:
    """Count jobs made from a template, in the caller's transaction; late, since it locks the row.

    Whoever shares a template waits for one another from here to the end of the transaction.
    """
    JobTemplate.objects.filter(pk=template_id).update(usage_count=F("usage_count") + times)


def _write(template: JobTemplate, values: Mapping[str, Any], *, now: datetime) -> None:
    columns = {"service": "service_id", "reference_panel": "reference_panel_id"}
    for name, value in values.items():
        setattr(template, columns.get(name, name), value)
    template.build = checked_settings(NewJob(name=template.name, **settings_of(template)))
    template.updated_at = now
    template.save()


def _audit(
    action: str,
    template: JobTemplate,
    *,
    user_id: int,
    origin: Origin,
    now: datetime,
    fields: list[str] | None = None,
) -> None:
    record_audit(
        action=action,
        user_id=user_id,
        resource_type="job_template",
        resource_id=str(template.pk),
        details={"fields": fields} if fields else None,
        origin=origin,
        now=now,
    )
