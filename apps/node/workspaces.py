"""Where files are: panels, uploads on their way, and one workspace folder per job.

    DATA_ROOT/panels/<id>@<version>/     reference panels
    DATA_ROOT/uploads/                   request bodies and file parts while they arrive
    DATA_ROOT/jobs/<job id>/input/       the job's uploads, removed when it has ended
    DATA_ROOT/jobs/<job id>/output/      results for download
    DATA_ROOT/jobs/<job id>/cloudgene_logs/

`uploads` and `jobs` are on one file system, so an upload is moved by a rename. What a row promises
is on the disk before the row: a power cut takes neither an accepted upload nor an offered file.
"""

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from django.conf import settings

from apps.shared.durable import sync_file, sync_folder

__all__ = [
    "UnsafePath",
    "create_workspace",
    "find_file",
    "jobs_root",
    "move_uploads",
    "panels_root",
    "remove_all_but_outputs",
    "remove_results",
    "remove_workspace",
    "safe_name",
    "safe_names",
    "settle_output",
    "uploads_root",
    "workspace",
    "workspaces_older_than",
]

_FOLDERS: Final = ("output", "cloudgene_logs")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._+-]")
_LONGEST_NAME: Final = 150


class UnsafePath(Exception):
    """A path that leaves its folder, or is no regular file."""


def panels_root() -> Path:
    return Path(settings.DATA_ROOT) / "panels"


def jobs_root() -> Path:
    return Path(settings.DATA_ROOT) / "jobs"


def uploads_root() -> Path:
    return Path(settings.DATA_ROOT) / "uploads"


def workspace(job_id: str) -> Path:
    return jobs_root() / job_id


def workspaces_older_than(moment: datetime) -> set[str]:
    """The jobs whose folders have not changed since `moment`."""
    old = set()
    for folder in _entries(jobs_root()):
        with suppress(FileNotFoundError):  # its owner deletes the job just now
            if folder.stat().st_mtime < moment.timestamp():
                old.add(folder.name)
    return old


def create_workspace(job_id: str) -> Path:
    """A new folder for a job, closed to other users of the machine.

    Raises:
        FileExistsError: There is one already.
    """
    folder = workspace(job_id)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700)
    for name in ("input", *_FOLDERS):
        (folder / name).mkdir()
    return folder


def move_uploads(job_id: str, uploads: Mapping[str, Path]) -> None:
    """Move files into a new workspace, each under its safe name."""
    folder = workspace(job_id) / "input"
    for name, path in uploads.items():
        sync_file(path)
        path.rename(folder / name)
    for changed in (folder, folder.parent, jobs_root()):
        sync_folder(changed)


def settle_output(job_id: str, output: str, path: str) -> int:
    """Bring a complete result file to the disk, with all names that lead to it; its size in bytes.

    Raises:
        UnsafePath, FileNotFoundError: As `find_file`.
    """
    file = find_file(job_id, output, path)
    sync_file(file)
    folder = file.parent
    while folder.name != job_id:
        sync_folder(folder)
        folder = folder.parent
    return file.stat().st_size


def remove_workspace(job_id: str) -> None:
    shutil.rmtree(workspace(job_id), ignore_errors=True)


def remove_results(job_id: str) -> None:
    """Make the workspace as it was at submission: the uploads alone."""
    for entry in _entries(workspace(job_id)):
        if entry.name != "input":
            _remove(entry)
    for name in _FOLDERS:
        (workspace(job_id) / name).mkdir(exist_ok=True)


def remove_all_but_outputs(job_id: str) -> None:
    """Remove the uploads and whatever an ended pipeline left beside its results."""
    for entry in _entries(workspace(job_id)):
        if entry.name not in _FOLDERS:
            _remove(entry)


def safe_name(name: str) -> str:
    """`name` as a plain file name: no folders, no leading dot or dash, no odd characters."""
    base = re.split(r"[/\\]", name)[-1]
    return _UNSAFE.sub("_", base).lstrip(".-")[-_LONGEST_NAME:] or "unnamed"


def safe_names(names: Iterable[str]) -> dict[str, str]:
    """A safe name for each of `names`; no two of them share one.

    Names that only become equal by being made safe are numbered in the order given, so that no
    chromosome takes the place of another: `a_b.vcf.gz`, `2_a_b.vcf.gz`.
    """
    chosen: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        if name in chosen:
            continue
        plain = free = safe_name(name)
        number = 1
        while free in taken:
            number += 1
            prefix = f"{number}_"
            free = prefix + plain[-(_LONGEST_NAME - len(prefix)) :]
        chosen[name] = free
        taken.add(free)
    return chosen


def find_file(job_id: str, output: str, path: str) -> Path:
    """The regular file `path` of a job's output folder.

    Raises:
        UnsafePath: It is not below the folder, or is a link or anything but a regular file.
        FileNotFoundError: It is not there.
    """
    folder = (workspace(job_id) / output).resolve()
    file = folder / path
    resolved = file.resolve(strict=True)
    if resolved != file or not resolved.is_relative_to(folder) or not resolved.is_file():
        raise UnsafePath(path)
    return resolved


def _entries(folder: Path) -> Iterator[Path]:
    return iter(list(folder.iterdir()) if folder.is_dir() else [])


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink()
