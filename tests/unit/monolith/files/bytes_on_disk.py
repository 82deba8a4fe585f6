"""Files as they come, as they lie on the disk, and processes that die among them."""

import os
import signal
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

from django.db import connection, transaction
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

__all__ = ["CONTENT", "DIGEST", "LEGACY", "dies_at", "fetch", "keep", "on_disk", "put_at"]

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


def dies_at(point: int, live: Callable[[], object]) -> bool:
    """Whether a child was killed at its `point`th statement or change of the disk."""
    connection.close()
    child = os.fork()
    if child == 0:
        seen = 0

        def count():
            nonlocal seen
            if seen == point:
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1

        changes = {"os.link", "os.rename", "os.remove", "os.mkdir", "os.utime", "os.chmod"}
        sys.addaudithook(lambda event, _: count() if event in changes else None)

        def counted(execute, *call):
            count()
            return execute(*call)

        status = 1
        try:
            with connection.execute_wrapper(counted):
                live()
            status = 0
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    with connection.cursor() as cursor:  # its server process may not have noticed yet
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert os.WIFSIGNALED(ended) or os.waitstatus_to_exitcode(ended) == 0
    return os.WIFSIGNALED(ended)
