"""Files as they come, and as they lie on the disk."""

import os
from hashlib import sha256
from pathlib import Path
from typing import Final

from django.db import transaction
from django.utils import timezone

from apps.federation.protocol import Download
from federated_imputation.monolith.files import operations as files
from federated_imputation.monolith.files import queries
from federated_imputation.monolith.files.models import GenotypeFile, ResultFile
from federated_imputation.monolith.files.operations import genotypes
from tests.bgzf import bgzf
from tests.factories import NOW
from tests.genotype_files import study, vcf
from tests.job_world import ORIGIN

__all__ = ["CONTENT", "DIGEST", "LEGACY", "fetch", "keep", "on_disk", "put_at"]

CONTENT: Final = bgzf(vcf())
DIGEST: Final = sha256(CONTENT).hexdigest()
LEGACY: Final = "uploads/input/" + "0" * 32 + "-study.vcf.gz"


def on_disk(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def keep(user, name="study.vcf.gz", content=None) -> GenotypeFile:
    upload = study(name, content)
    kept = genotypes.keep_genotypes([upload], user_id=user.pk, origin=ORIGIN, now=timezone.now())
    return kept.file


def fetch(job, name="chr_20.zip", content=CONTENT) -> ResultFile:
    """A result of the job, as a worker brings it."""
    path = queries.result_path(job_id=job.pk, attempt=1, name=name)
    place = files.make_place(path=path, holder=1)
    place.write_bytes(content)
    digest = sha256(content).hexdigest()
    with transaction.atomic():
        return files.keep_result(
            job_id=job.pk,
            name=name,
            path=path,
            download=Download(path=place, size=len(content), sha256=digest),
            output="",
            now=NOW,
        )


def put_at(root: Path, path: str, content: bytes = CONTENT) -> None:
    """Bytes where the legacy system left them, years ago."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(content)
    os.utime(root / path, (10**9, 10**9))
