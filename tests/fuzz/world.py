"""What is there when the API is fuzzed: the first data of the legacy system, and three actors.

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
    ServicePermission,
    ServiceUserGroup,
    UserProfile,
    UserRole,
)
from federated_imputation.monolith.accounts.operations.tokens import open_family
from federated_imputation.monolith.jobs.models import ImputationJob
from federated_imputation.monolith.registry.models import ReferencePanel
from federated_imputation.monolith.seeds.legacy import seed_legacy
from tests.factories import NOW, PASSWORD

__all__ = ["build", "fresh_token"]

# After the two users of the first data. The fourth is nobody's: a stranger to the others.
_IDS: Final = {"researcher": 3, "admin": 4, "another": 5}
_NAMES: Final = {"researcher": "ada", "admin": "grace", "another": "mary"}
_ROLES: Final = {"researcher": "researcher", "admin": "admin", "another": "researcher"}
_JOB: Final = UUID("5f0e8a52-6c0b-4a6e-9d55-0f6f1d1f7a10")
_RESULT: Final = bytes(range(256)) * 16
_HASH: Final = make_password(PASSWORD)


def build() -> None:
    """Fill an empty, migrated database, and `DATA_ROOT`."""
    seed_legacy(admin_password=lambda: PASSWORD, now=NOW)
    for name, number in _IDS.items():
        assert User.objects.create(username=_NAMES[name]).pk == number
        _restored(name)
    panel = ReferencePanel.objects.select_related("service").earliest("id")
    for name, number in _IDS.items():
        for status in ImputationJob.Status:
            the_example = (name, status) == ("researcher", ImputationJob.Status.COMPLETED)
            job = ImputationJob.objects.create(
                id=_JOB if the_example else uuid5(_JOB, f"{name} {status}"),
                user_id=number,
                service=panel.service,
                reference_panel=panel,
                name=f"Study of {name}",
                status=status,
                created_at=NOW,
            )
            job.status_updates.create(status=status, message="As it stands", timestamp=NOW)
            if status == ImputationJob.Status.COMPLETED:
                _store_result(job)
    ServicePermission.objects.create(
        user_id=_IDS["another"], service=panel.service, permission=ServicePermission.Kind.VIEW_JOBS
    )
    ServiceUserGroup.objects.create(service=panel.service, name="Trainees")


def fresh_token(actor: str) -> str:
    """An access token of a new login of `actor`, who is first made whole again.

    Whatever was just tried on this person (a new password, the end of every login, deletion)
    says nothing about the next request.
    """
    with transaction.atomic():
        user = _restored(actor)
        pair = open_family(user=user, session_key="", replaces=None, now=timezone.now())
    return pair.access_token


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


def _store_result(job: ImputationJob) -> None:
    path = f"results/{job.pk}/1/chr_20.zip"
    stored = Path(settings.DATA_ROOT) / path
    stored.parent.mkdir(parents=True)
    stored.write_bytes(_RESULT)
    job.files.create(
        file_type="imputed_data",
        filename="chr_20.zip",
        file_path=path,
        file_size=len(_RESULT),
        checksum=sha256(_RESULT).hexdigest(),
    )
