"""The demonstration's results: downloaded, opened, and compared with the truth."""

import shutil
from pathlib import Path
from typing import Final

import pyzipper

from apps.genotypes.accuracy import measure
from apps.genotypes.summary import summarise
from federated_imputation.platform.api_client import PlatformApi
from federated_imputation.platform.demo_jobs import SentJob
from federated_imputation.platform.report import PanelResult, ResultFile
from federated_imputation.platform.studies import Study

__all__ = ["Unreadable", "collect", "open_member", "sweep"]

_FORGET_SECONDS: Final = 7 * 24 * 3600.0


class Unreadable(Exception):
    """A result archive could not be opened; the message says which and why."""


def collect(api: PlatformApi, study: Study, job: SentJob, folder: Path) -> PanelResult:
    """Download all files of a completed job into `folder`, open the genotypes, compare them.

    Raises:
        Unreadable: The archive of genotypes cannot be opened.
        DownloadDiffers: What arrived is not what the platform stores.
        FilesDiffer: The result is not one of the study.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for file in api.files(job.id):
        path = folder / file.name.replace("/", "_")
        digest = api.download(job.id, file, path)
        files.append(ResultFile(name=file.name, size=file.size, sha256=digest, path=str(path)))
    dosages = open_member(
        folder / f"chr_{study.chromosome}.zip",
        member=f"chr{study.chromosome}.dose.vcf.gz",
        password=api.reveal_password(job.id),
        into=folder,
    )
    events = job.latest.events
    return PanelResult(
        panel=job.panel.name,
        node=job.panel.deployment,
        job_id=job.id,
        service_job_id=job.latest.service_job_id,
        status=job.latest.status,
        submissions=sum({"attempt", "external_id"} <= event.facts.keys() for event in events),
        seconds=job.seconds or 0.0,
        summary=summarise(dosages),
        accuracy=measure(truth=study.truth, result=dosages, array=study.target),
        files=tuple(files),
        events=tuple(f"{event.status}: {event.message}" for event in events),
    )


def open_member(archive: Path, *, member: str, password: str, into: Path) -> Path:
    """Take `member` out of an encrypted zip, block by block.

    Raises:
        Unreadable: There is no such archive or member, or the password does not open it.
    """
    path = into / member
    try:
        with pyzipper.AESZipFile(archive) as opened:
            opened.setpassword(password.encode())
            with opened.open(member) as source, path.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 18)
    except (OSError, KeyError, RuntimeError, pyzipper.BadZipFile) as error:
        raise Unreadable(f"{archive.name} could not be opened: {error}") from error
    return path


def sweep(folder: Path, *, now: float) -> None:
    """Remove downloads of demonstrations that are a week old."""
    if not folder.is_dir():
        return
    for old in folder.iterdir():
        if now - old.stat().st_mtime > _FORGET_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
