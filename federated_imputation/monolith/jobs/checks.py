"""Whether a job that a user asks for can be submitted: everything that is wrong, by field."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile

from apps.genotypes import upload_formats as formats
from federated_imputation.monolith.accounts import queries as accounts
from federated_imputation.monolith.files import queries as files
from federated_imputation.monolith.jobs.clients import is_supported
from federated_imputation.monolith.registry import queries as registry

if TYPE_CHECKING:
    from federated_imputation.monolith.files.models import GenotypeFile
    from federated_imputation.monolith.registry.models import ImputationService, ReferencePanel

__all__ = [
    "CheckedJob",
    "InvalidJob",
    "NewJob",
    "check_build",
    "check_genotypes",
    "check_target",
    "checked",
    "checked_settings",
]

_MEGABYTE: Final = 1024 * 1024
_BUILDS: Final = {
    "hg19": "hg19",
    "grch37": "hg19",
    "b37": "hg19",
    "37": "hg19",
    "hg38": "hg38",
    "grch38": "hg38",
    "b38": "hg38",
    "38": "hg38",
}


class InvalidJob(Exception):
    """Raised with what is wrong, by field: `{"build": ["…"]}`."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__("The job cannot be submitted as it is.")
        self.errors = errors


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """What a user asks for; `user_token` is theirs at the service, '' for the stored one.

    The genotypes are an upload, or a file that the user keeps here: one of the two.
    """

    name: str
    service: int
    reference_panel: int
    input_file: "UploadedFile[bytes] | None" = None
    genotype_file: UUID | None = None
    description: str = ""
    input_format: str = "vcf"
    build: str = "hg38"
    phasing: bool = False
    population: str = ""
    user_token: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class CheckedJob:
    """A job that its service would take, and what it names.

    Attributes:
        build: `hg19` or `hg38`.
    """

    new: NewJob
    service: "ImputationService"
    panel: "ReferencePanel"
    build: str


def checked(new: NewJob, *, user_id: int, now: datetime) -> CheckedJob:
    """The job that `new` asks for, with the service, the panel and the build that it names.

    Raises:
        InvalidJob: With everything that is wrong, not only the first thing.
    """
    errors: dict[str, list[str]] = {}
    service, panel = check_target(new, user_id=user_id, now=now, errors=errors)
    if service is not None:
        check_genotypes(new, service=service, user_id=user_id, errors=errors)
    build = check_build(new.build, errors=errors)
    if errors or service is None or panel is None:
        raise InvalidJob(errors)
    return CheckedJob(new=new, service=service, panel=panel, build=build)


def checked_settings(new: NewJob) -> str:
    """The build that `new` names, when its settings fit together, whoever sends what and when.

    Service and panel need not be active.

    Raises:
        InvalidJob: With everything that is wrong, not only the first thing.
    """
    errors: dict[str, list[str]] = {}
    _, panel = _named(new, errors)
    if panel is not None:
        _check_fit(panel, new, errors)
    build = check_build(new.build, errors=errors)
    if errors:
        raise InvalidJob(errors)
    return build


def check_target(
    new: NewJob, *, user_id: int, now: datetime, errors: dict[str, list[str]]
) -> "tuple[ImputationService | None, ReferencePanel | None]":
    """The service and the panel, where they exist; what is wrong with them goes into `errors`."""
    service, panel = _named(new, errors)
    if service is not None:
        _check_service(service, new, user_id=user_id, now=now, errors=errors)
    if panel is not None:
        _check_panel(panel, new, errors)
    return service, panel


def check_build(given: str, *, errors: dict[str, list[str]]) -> str:
    """`hg19` or `hg38`; '' with a word in `errors` when `given` names neither."""
    build = _BUILDS.get(given.lower(), "")
    if not build:
        errors["build"] = [f'"{given}" is not a known build; use hg19 or hg38.']
    return build


def check_genotypes(
    new: NewJob,
    *,
    service: "ImputationService",
    user_id: int,
    errors: dict[str, list[str]],
    taker: str = "the service",
) -> None:
    """Put into `errors` why `service` does not take the genotypes of `new`.

    Args:
        taker: What `service` is called where its limit is told.
    """
    if new.genotype_file is None:
        if new.input_file is None:
            errors["input_file"] = ["This field is required."]
        else:
            _check_upload(service, new.input_file, taker, errors)
        return
    if new.input_file is not None:
        errors["genotype_file"] = ["Send either an upload or the id of a stored file, not both."]
        return
    file = files.find_genotype_file(user_id=user_id, file_id=str(new.genotype_file))
    if file is None:
        errors["genotype_file"] = [f'Invalid pk "{new.genotype_file}" - object does not exist.']
    elif (problem := _problem_with_stored(service, file, taker)) is not None:
        errors["genotype_file"] = [problem]


def _named(
    new: NewJob, errors: dict[str, list[str]]
) -> "tuple[ImputationService | None, ReferencePanel | None]":
    service = panel = None
    try:
        service = registry.get_service(service_id=new.service)
        panel = registry.get_panel(panel_id=new.reference_panel)
    except registry.UnknownService:
        errors["service"] = [f'Invalid pk "{new.service}" - object does not exist.']
    except registry.UnknownPanel:
        message = f'Invalid pk "{new.reference_panel}" - object does not exist.'
        errors["reference_panel"] = [message]
    return service, panel


def _check_service(
    service: "ImputationService",
    new: NewJob,
    *,
    user_id: int,
    now: datetime,
    errors: dict[str, list[str]],
) -> None:
    if not service.is_active:
        errors["service"] = ["This service is not active."]
    elif not is_supported(service):
        errors["service"] = [
            f"The API of this service ({service.api_type}) is not supported; no job can be sent."
        ]
    elif service.api_key_required and not new.user_token:
        stored = accounts.reveal_credential(service_id=service.pk, user_id=user_id, now=now)
        if stored is None:
            errors["user_token"] = ["This service needs your API token, and none is stored."]


def _check_panel(panel: "ReferencePanel", new: NewJob, errors: dict[str, list[str]]) -> None:
    _check_fit(panel, new, errors)
    if not panel.is_active:
        errors.setdefault("reference_panel", ["This panel is not active."])


def _check_fit(panel: "ReferencePanel", new: NewJob, errors: dict[str, list[str]]) -> None:
    if panel.service_id != new.service:
        errors["reference_panel"] = ["This panel does not belong to the service."]
    known = panel.populations or []
    if new.population and known and new.population.lower() not in map(str.lower, known):
        choices = ", ".join(known)
        errors["population"] = [f'"{new.population}" is none of: {choices}.']


def _problem_with_stored(
    service: "ImputationService", file: "GenotypeFile", taker: str
) -> str | None:
    is_packed = file.format == file.Format.VCF_GZ
    is_bgzf = is_packed and file.first_look["facts"]["compression"] == "bgzf"
    if is_supported(service) and not is_bgzf:
        is_vcf = is_packed or file.format == file.Format.VCF
        repair = "bgzip" if is_vcf else "convert"
        return (
            f"This service reads .vcf.gz files only, and {file.name} is none. The repair "
            f'"{repair}" makes one of it: POST /api/files/{file.pk}/repairs/.'
        )
    if file.size > service.max_file_size_mb * _MEGABYTE:
        return f"The file is larger than the {service.max_file_size_mb} MB that {taker} takes."
    return None


def _check_upload(
    service: "ImputationService",
    upload: "UploadedFile[bytes]",
    taker: str,
    errors: dict[str, list[str]],
) -> None:
    name = upload.name or ""
    extension = formats.extension_of(name)
    if extension is None:
        choices = ", ".join(formats.EXTENSIONS)
        errors["input_file"] = [f"Unsupported file format; use one of: {choices}."]
        return
    if is_supported(service) and extension != ".vcf.gz":
        errors["input_file"] = [f"This service reads .vcf.gz files only, not {extension}."]
        return
    if (upload.size or 0) > service.max_file_size_mb * _MEGABYTE:
        most = service.max_file_size_mb
        errors["input_file"] = [f"The file is larger than the {most} MB that {taker} takes."]
        return
    upload.seek(0)
    problem = formats.problem_with(name, upload.read(formats.HEAD_BYTES))
    upload.seek(0)
    if problem is not None:
        errors["input_file"] = [problem]
