"""Where files are: panels, uploads on their way, and one workspace folder per job.

    DATA_ROOT/panels/<id>@<version>/     reference panels
    DATA_ROOT/uploads/                   request bodies and file parts while they arrive
    DATA_ROOT/jobs/<job id>/input/       the job's uploads, removed when it has ended
    DATA_ROOT/jobs/<job id>/output/      results for download
    DATA_ROOT/jobs/<job id>/cloudgene_logs/

`uploads` and `jobs` are on one file system, so an upload is moved by a rename.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from django.conf import settings

__all__ = [
    "UnsafePath",
    "all_workspaces",
    "create_workspace",
    "find_file",
    "jobs_root",
    "panels_root",
    "remove_all_but_outputs",
    "remove_results",
    "remove_workspace",
    "safe_name",
    "uploads_root",
    "workspace",
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


def all_workspaces() -> list[Path]:
    """The folders of all jobs, in no order."""
    return list(_entries(jobs_root()))


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
