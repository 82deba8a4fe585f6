"""Bytes below `DATA_ROOT`: written and fsynced before the row that names them is committed.

Paths in rows are relative to `DATA_ROOT`. A file that no row names is swept after a day; a row
never names a file that is not whole. Each has a second name by its content: `files.objects`.
"""

import errno
import hashlib
import os
import re
import shutil
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Final

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from apps.genotypes.upload_formats import extension_of
from apps.shared.durable import sync_file, sync_folder
from apps.shared.uploads import DigestedFile

__all__ = [
    "StoredUpload",
    "absolute",
    "adopt",
    "arrived",
    "arriving",
    "digest",
    "find",
    "keep_upload",
    "link_upload",
    "make_folder",
    "new_path",
    "remove",
    "remove_folder",
    "result_path",
    "settle",
    "store_set",
    "store_upload",
    "swept",
    "upload_name",
]

UPLOADS: Final = PurePosixPath("uploads/input")
RESULTS: Final = PurePosixPath("results")
GENOTYPES: Final = PurePosixPath("genotypes")
MAKING: Final = PurePosixPath("making")
PANELS: Final = PurePosixPath("panels")
# Below these, folders come and go with their files.
_NESTED: Final = (RESULTS, MAKING, PANELS)
# The column of the path has 100 characters, of which the folder and the id take 47.
_MOST_UPLOAD_NAME: Final = 50
_MOST_RESULT_NAME: Final = 100
_ID_LENGTH: Final = 32
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_BLOCK_BYTES: Final = 1024 * 1024
ORPHAN_AFTER: Final = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class StoredUpload:
    """An upload that is on disk, whole.

    Attributes:
        path: Relative to `DATA_ROOT`, at most 100 characters.
        size: Bytes.
        sha256: Lower-case hex.
    """

    path: str
    size: int
    sha256: str


def absolute(path: str) -> Path:
    """Where the file of a row lies.

    Raises:
        ValueError: `path` leads out of `DATA_ROOT`.
    """
    root = Path(settings.DATA_ROOT).resolve()
    full = (root / path).resolve()
    if not full.is_relative_to(root):
        raise ValueError("A stored path leads out of the data folder.")
    return full


def find(path: str) -> Path | None:
    """The file of a row; `None` when it is not here, or was never ours to keep."""
    try:
        full = absolute(path)
        return full if full.is_file() else None
    except ValueError:
        return None
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:  # a legacy column may hold what no file is called
            raise
        return None


def store_upload(
    blocks: Iterable[bytes], *, name: str, folder: PurePosixPath = UPLOADS
) -> StoredUpload:
    """Write an upload under a name of its own that ends like `name`; constant memory.

    Raises:
        OSError: The disk is full or not writable; nothing is left behind.
    """
    path = new_path(name, folder=folder)
    target = absolute(path)
    make_folder(target.parent)
    sha256 = hashlib.sha256()
    size = 0
    try:
        with target.open("xb") as file:
            for block in blocks:
                file.write(block)
                sha256.update(block)
                size += len(block)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        target.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)
    return StoredUpload(path=path, size=size, sha256=sha256.hexdigest())


def keep_upload(
    upload: "UploadedFile[bytes]", *, name: str, folder: PurePosixPath = UPLOADS
) -> StoredUpload:
    """As `store_upload`; what lies on the same disk already only gets its name.

    Raises:
        OSError: The disk is full or not writable; nothing is left behind.
    """
    if isinstance(upload, DigestedFile):
        here = Path(upload.temporary_file_path())
        path = new_path(name, folder=folder)
        target = absolute(path)
        make_folder(target.parent)
        if here.stat().st_dev == target.parent.stat().st_dev:
            settle(here, target)
            return StoredUpload(path=path, size=upload.size or 0, sha256=upload.sha256)
    return store_upload(upload.chunks(), name=name, folder=folder)


def store_set(
    members: Mapping[str, Iterable[bytes]], *, name: str, folder: PurePosixPath
) -> StoredUpload:
    """Write files that belong together as one zip, not compressed; constant memory.

    The same members make the same bytes.

    Raises:
        OSError: The disk is full or not writable; nothing is left behind.
    """
    path = new_path(name, folder=folder)
    target = absolute(path)
    make_folder(target.parent)
    try:
        with zipfile.ZipFile(target, "x", zipfile.ZIP_STORED) as archive:
            for member in sorted(members):
                with archive.open(zipfile.ZipInfo(member), "w", force_zip64=True) as file:
                    for block in members[member]:
                        file.write(block)
        sync_file(target)
        size, sha256 = digest(target)
    except OSError:
        target.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)
    return StoredUpload(path=path, size=size, sha256=sha256)


def new_path(name: str, *, folder: PurePosixPath) -> str:
    """A path in `folder` that nothing has, ending like `name`; at most 100 characters."""
    return str(folder / f"{uuid.uuid4().hex}-{_safe(name, _MOST_UPLOAD_NAME)}")


def adopt(temporary: Path, *, name: str, folder: PurePosixPath) -> str:
    """Move a whole file to a path of its own in `folder`, for good; return the path."""
    path = new_path(name, folder=folder)
    target = absolute(path)
    make_folder(target.parent)
    settle(temporary, target)
    return path


def link_upload(source: Path, *, name: str) -> str:
    """Give the bytes at `source` one more name among the uploads; each name can go by itself.

    Raises:
        FileNotFoundError: There is nothing at `source` (any more).
    """
    second = new_path(name, folder=UPLOADS)
    target = absolute(second)
    make_folder(target.parent)
    os.utime(source)  # the sweep leaves alone what is young, and no row names the link yet
    os.link(source, target)
    sync_folder(target.parent)
    return second


def upload_name(path: str) -> str:
    """The name that a stored upload had, as far as it was safe; its ending in lower case."""
    name = PurePosixPath(path).name[_ID_LENGTH + 1 :]
    ending = extension_of(name) or ""
    return name[: len(name) - len(ending)] + ending


def result_path(*, job_id: uuid.UUID, attempt: int, name: str) -> str:
    """Where a result called `name` at the service is kept, one path for one name.

    The service's name may hold folders or anything else; what is left of it is for people, and
    the digest keeps two names apart.
    """
    mark = hashlib.sha256(name.encode()).hexdigest()[:12]
    return str(RESULTS / str(job_id) / str(attempt) / f"{mark}-{_safe(name, _MOST_RESULT_NAME)}")


def arriving(target: Path, *, holder: int) -> Path:
    """Where a result on its way to `target` is put when it is whole, by one holder of its job."""
    return target.with_name(f"{target.name}.{holder}")


def arrived(target: Path) -> Path | None:
    """A whole file for `target`, there or where a holder before left it; `None` if there is none.

    A holder that died, or lost its job, after the last byte leaves what is as good as new.
    """
    if target.is_file():
        return target
    if not target.parent.is_dir():
        return None
    before = f"{target.name}."
    left = (path for path in target.parent.iterdir() if path.name.startswith(before))
    return next((path for path in left if path.name.removeprefix(before).isdecimal()), None)


def settle(temporary: Path, target: Path) -> None:
    """Give a whole file its final name, for good: data, name and folder survive a power cut."""
    sync_file(temporary)
    temporary.replace(target)
    sync_folder(target.parent)


def digest(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file, read in blocks."""
    sha256 = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            sha256.update(block)
            size += len(block)
    return size, sha256.hexdigest()


def remove(paths: Iterable[str]) -> None:
    """Delete files that no row names any more, and the folders that they leave empty.

    A path that leads out of `DATA_ROOT` was the earlier system's; what lies there stays.
    """
    for path in paths:
        full = find(path)
        if full is not None:
            full.unlink(missing_ok=True)
            _remove_empty_folders(full.parent)


def remove_folder(folder: Path) -> None:
    """Delete a folder with all that is in it, as far as it is there."""
    shutil.rmtree(folder, ignore_errors=True)


def swept(folder: PurePosixPath, *, is_known: Callable[[str], bool], now: datetime) -> list[str]:
    """Delete the files below `folder` that nobody knows and nobody has touched for a day."""
    base = absolute(str(folder))
    oldest_kept = (now - ORPHAN_AFTER).timestamp()
    gone = []
    for file in _files(base):
        path = str(file.relative_to(absolute("")))
        if file.stat().st_mtime < oldest_kept and not is_known(path):
            gone.append(path)
    remove(gone)
    return gone


def make_folder(folder: Path) -> None:
    """Make `folder` and those above it, so that their names, too, survive a power cut."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def _safe(name: str, most: int) -> str:
    """The last part of `name` in `A-Za-z0-9._-`, its end kept when it is too long.

    Before a known ending there is always something: services take no file that is called `.vcf.gz`.
    """
    last = _UNSAFE.sub("_", PurePosixPath(name.replace("\\", "/")).name)
    ending = extension_of(last) or ""
    stem = last[: len(last) - len(ending)]
    return (stem[-(most - len(ending)) :].lstrip(".-") or "file") + last[len(stem) :]


def _files(base: Path) -> Iterator[Path]:
    if base.is_dir():
        yield from (path for path in sorted(base.rglob("*")) if path.is_file())


def _remove_empty_folders(folder: Path) -> None:
    roots = [absolute(str(root)) for root in _NESTED]
    while any(root in folder.parents for root in roots):
        try:
            folder.rmdir()
        except OSError:  # another file is in it, or another process was first
            return
        folder = folder.parent
