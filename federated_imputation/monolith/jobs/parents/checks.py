"""Whether a study that shall go to several services can be submitted to all of them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile

from federated_imputation.monolith.jobs.checks import (
    CheckedJob,
    NewJob,
    check_build,
    check_genotypes,
    check_target,
)

__all__ = ["FEWEST", "MOST", "InvalidStudy", "NewStudy", "Target", "checked_study"]

FEWEST: Final = 2
MOST: Final = 10


class InvalidStudy(Exception):
    """Raised with what is wrong, by field; `targets` has an entry for each target, in order.

    `{"build": ["…"], "targets": [{}, {"reference_panel": ["…"]}]}`
    """

    def __init__(self, errors: dict[str, Any]) -> None:
        super().__init__("The study cannot be submitted as it is.")
        self.errors = errors


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a study shall go; what is `None` is as for the whole study.

    Attributes:
        user_token: The user's at the service; '' for the stored one.
    """

    service: int
    reference_panel: int
    phasing: bool | None = None
    population: str | None = None
    user_token: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class NewStudy:
    """What a user asks for; the genotypes are an upload, or a file that the user keeps here."""

    name: str
    targets: tuple[Target, ...]
    input_file: "UploadedFile[bytes] | None" = None
    genotype_file: UUID | None = None
    description: str = ""
    input_format: str = "vcf"
    build: str = "hg38"
    phasing: bool = False
    population: str = ""

    def job_for(self, target: Target) -> NewJob:
        """The job that goes to `target`."""
        return NewJob(
            name=self.name,
            service=target.service,
            reference_panel=target.reference_panel,
            input_file=self.input_file,
            genotype_file=self.genotype_file,
            description=self.description,
            input_format=self.input_format,
            build=self.build,
            phasing=self.phasing if target.phasing is None else target.phasing,
            population=self.population if target.population is None else target.population,
            user_token=target.user_token,
        )


def checked_study(study: NewStudy, *, user_id: int, now: datetime) -> tuple[CheckedJob, ...]:
    """The jobs of `study`, one for each target and in that order.

    Of the services' limits on the size of a file the smallest counts.

    Raises:
        InvalidStudy: With everything that is wrong, not only the first thing.
    """
    if not FEWEST <= len(study.targets) <= MOST:
        raise InvalidStudy({"targets": [f"Name {FEWEST} to {MOST} targets."]})
    shared: dict[str, list[str]] = {}
    build = check_build(study.build, errors=shared)
    of_targets: list[dict[str, list[str]]] = []
    checked: list[CheckedJob] = []
    services = []
    seen: set[tuple[int, int]] = set()
    for target in study.targets:
        errors: dict[str, list[str]] = {}
        new = study.job_for(target)
        service, panel = check_target(new, user_id=user_id, now=now, errors=errors)
        if (target.service, target.reference_panel) in seen:
            errors["reference_panel"] = ["An earlier target names this service and this panel."]
        seen.add((target.service, target.reference_panel))
        of_targets.append(errors)
        if service is not None:
            services.append(service)
        if service is not None and panel is not None:
            checked.append(CheckedJob(new=new, service=service, panel=panel, build=build))
    if services:
        strictest = min(services, key=lambda each: each.max_file_size_mb)
        check_genotypes(
            study.job_for(study.targets[0]),
            service=strictest,
            taker=f"{strictest.name}, the strictest of these services,",
            user_id=user_id,
            errors=shared,
        )
    if any(of_targets):
        raise InvalidStudy({**shared, "targets": of_targets})
    if shared:
        raise InvalidStudy(shared)
    return tuple(checked)
