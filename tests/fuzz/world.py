"""What is there when the API is fuzzed: the first data of the legacy system, and a few people.

The ids are those of the examples in the description, so that an example finds what it names.
"""

from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import UUID, uuid5

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from federated_imputation.monolith.accounts.models import (
    ServiceCredential,
    ServicePermission,
    ServiceUserGroup,
    UserProfile,
    UserRole,
)
from federated_imputation.monolith.accounts.operations import store_credential
from federated_imputation.monolith.accounts.operations.tokens import open_family
from federated_imputation.monolith.deletions.models import Deletion
from federated_imputation.monolith.files.models import FileRun, GenotypeFile, ResultFile
from federated_imputation.monolith.files.operations.genotypes import keep_genotypes
from federated_imputation.monolith.jobs.models import ImputationJob
from federated_imputation.monolith.registry.models import ReferencePanel
from federated_imputation.monolith.seeds.legacy import seed_legacy
from tests.factories import NOW, PASSWORD
from tests.genotype_files import study
from tests.job_world import ORIGIN

__all__ = ["build", "fresh_token", "person_without_profile"]

# After the two users of the first data. The last has no profile yet.
_IDS: Final = {"researcher": 3, "admin": 4, "another": 5}
_WITHOUT_PROFILE: Final = 6
_NAMES: Final = {"researcher": "ada", "admin": "grace", "another": "mary"}
_ROLES: Final = {"researcher": "researcher", "admin": "admin", "another": "researcher"}
_JOB: Final = UUID("5f0e8a52-6c0b-4a6e-9d55-0f6f1d1f7a10")
_FILE: Final = 1
_GENOTYPES: Final = UUID("5f0e8a52-6c0b-4a6e-9d55-0f6f1d1f7a11")
_RUN: Final = UUID("5f0e8a52-6c0b-4a6e-9d55-0f6f1d1f7a13")
_RESULT: Final = bytes(range(256)) * 16
_HASH: Final = make_password(PASSWORD)


def build() -> None:
    """Fill an empty, migrated database, and `DATA_ROOT`."""
    seed_legacy(admin_password=lambda: PASSWORD, now=NOW)
    for name, number in _IDS.items():
        assert User.objects.create(username=_NAMES[name]).pk == number
        _restored(name)
    assert User.objects.create(username="efua").pk == _WITHOUT_PROFILE
    _restore_example(_IDS["researcher"])
    _restore_genotypes(_IDS["researcher"])
    panel = _panel()
    for name, number in _IDS.items():
        for status in ImputationJob.Status:
            job = ImputationJob.objects.create(
                id=uuid5(_JOB, f"{name} {status}"),
                user_id=number,
                service=panel.service,
                reference_panel=panel,
                name=f"Study of {name}",
                status=status,
                created_at=NOW,
            )
            job.status_updates.create(status=status, message="As it stands", timestamp=NOW)
    ServicePermission.objects.create(
        user_id=_IDS["another"], service=panel.service, permission=ServicePermission.Kind.VIEW_JOBS
    )
    ServiceUserGroup.objects.create(service=panel.service, name="Trainees")


def fresh_token(actor: str) -> str:
    """An access token of a new login of `actor`, after what the examples name is whole again.

    Whatever was just tried on this person (a new password, the end of every login, deletion), or
    on the job and the file of the examples, says nothing about the next request.
    """
    with transaction.atomic():
        Deletion.objects.all().delete()
        user = _restored(actor)
        _restore_example(user.pk)
        _restore_genotypes(user.pk)
        pair = open_family(user=user, session_key="", replaces=None, now=timezone.now())
    return pair.access_token


def person_without_profile() -> int:
    """The id of a user who has no profile, made when there is none."""
    UserProfile.objects.filter(user_id=_WITHOUT_PROFILE).delete()
    user, _ = User.objects.get_or_create(pk=_WITHOUT_PROFILE, defaults={"username": "efua"})
    return user.pk


def _restored(name: str) -> User:
    number = _IDS[name]
    as_wanted = {
        "username": _NAMES[name],
        "password": _HASH,
        "is_active": True,
        "is_staff": name == "admin",
    }
    user = User.objects.filter(pk=number, profile__role__name=_ROLES[name], **as_wanted).first()
    if user is not None and UserRole.objects.filter(name=_ROLES[name], is_active=True).exists():
        return user
    User.objects.filter(username=_NAMES[name]).exclude(pk=number).delete()
    user, _ = User.objects.update_or_create(pk=number, defaults=as_wanted)
    role, _ = UserRole.objects.update_or_create(name=_ROLES[name], defaults={"is_active": True})
    UserProfile.objects.update_or_create(user=user, defaults={"role": role})
    return user


def _panel() -> ReferencePanel:
    return ReferencePanel.objects.select_related("service").earliest("id")


def _restore_example(user_id: int) -> None:
    """The job and the file of the examples: completed, the user's own, with a password."""
    whole = ResultFile.objects.filter(
        pk=_FILE, job_id=_JOB, job__user_id=user_id, job__status=ImputationJob.Status.COMPLETED
    )
    if whole.exists():
        return
    panel = _panel()
    job, _ = ImputationJob.objects.update_or_create(
        pk=_JOB,
        defaults={
            "user_id": user_id,
            "service": panel.service,
            "reference_panel": panel,
            "name": "Study of the examples",
            "status": ImputationJob.Status.COMPLETED,
        },
    )
    path = f"results/{_JOB}/1/chr_20.zip"
    stored = Path(settings.DATA_ROOT) / path
    stored.parent.mkdir(parents=True, exist_ok=True)
    stored.write_bytes(_RESULT)
    file = {
        "file_type": ResultFile.FileType.IMPUTED_DATA,
        "filename": "chr_20.zip",
        "file_path": path,
        "file_size": len(_RESULT),
        "checksum": sha256(_RESULT).hexdigest(),
        "is_available": True,
    }
    ResultFile.objects.update_or_create(pk=_FILE, defaults={**file, "job": job})
    store_credential(
        service_id=panel.service_id,
        user_id=user_id,
        kind=ServiceCredential.Kind.RESULT_PASSWORD,
        secret=PASSWORD,
        job_id=_JOB,
        now=timezone.now(),
    )


def _restore_genotypes(user_id: int) -> None:
    """The genotype file of the examples, the user's own, with a check that waits."""
    if not GenotypeFile.objects.filter(pk=_GENOTYPES, user_id=user_id).exists():
        GenotypeFile.objects.filter(pk=_GENOTYPES).delete()
        kept = keep_genotypes(
            [study("example.vcf.gz")], user_id=user_id, origin=ORIGIN, now=timezone.now()
        ).file
        # Another row in its place, since the database keeps rows that follow this one's id.
        GenotypeFile.objects.filter(pk=kept.pk).delete()
        kept.pk = _GENOTYPES
        kept.save(force_insert=True)
    if not FileRun.objects.filter(pk=_RUN, state=FileRun.State.WAITING).exists():
        FileRun.objects.filter(file_id=_GENOTYPES).delete()
        FileRun.objects.create(
            id=_RUN, file_id=_GENOTYPES, kind=FileRun.Kind.CHECK, parameters={"panels": []}
        )
