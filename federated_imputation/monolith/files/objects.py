"""Bytes under the name of their content: `objects/ab/cdef…`, which is their SHA-256.

The story. A file comes to the disk under a name of its own, which a column of its row tells and a
legacy process opens: `uploads/input/…-study.vcf.gz`. An **object** is a second name of the same
bytes, a hard link, which says what they are and nothing of whose. Equal contents have one object,
and the names of their own become links to it, so they lie on the disk once. An object is not
written again: nobody may write to it, and whoever has another content has another object.

Which rows name an object is known to the database alone, and so is the lock that orders its coming
and going: `operations.stored` calls `put` and `remove` under it, and nobody else does. A reader
needs no lock; an open file stays readable.

Where a second name cannot be made (another disk, somebody else's file), an object is a copy.
"""

import errno
import os
import re
import shutil
import stat
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final

from apps.shared.durable import sync_file, sync_folder
from federated_imputation.monolith.files import storage

__all__ = ["OBJECTS", "find", "path_of", "put", "remove", "shards"]

OBJECTS: Final = PurePosixPath("objects")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_SHARD: Final = 2
Link = Callable[[Path, Path], None]
_NO_LINKS: Final = frozenset(
    {errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.EOPNOTSUPP}
)


def path_of(sha256: str) -> str:
    """Where the object with this content lies, relative to `DATA_ROOT`.

    Args:
        sha256: Lower-case hex.
    """
    return str(OBJECTS / sha256[:_SHARD] / sha256[_SHARD:])


def find(sha256: str) -> Path | None:
    """The object with this content; `None` when there is none."""
    return storage.find(path_of(sha256)) if sha256 else None


def put(file: Path, *, sha256: str, link: Link = os.link) -> None:
    """Make sure that the content of `file` is an object, whole and on the disk when this returns.

    `file` keeps its name, and from now on shares the bytes of the object. It counts as new again,
    so that the sweep of what no row names leaves it to its row, which is about to be committed.
    An object of another size was damaged, and is replaced. Of two that are the first at once, each
    may keep bytes of its own.

    Args:
        file: Whole, and not written any more.
        sha256: Of all its bytes, lower-case hex.
        link: Gives a file a second name, or raises what says that it cannot have one.

    Raises:
        OSError: The disk is full or not writable, or `file` is gone.
    """
    target = storage.absolute(path_of(sha256))
    here = file.stat()
    known = target.stat() if target.is_file() else None
    if known is not None and known.st_size == here.st_size:
        os.utime(target)
        if not os.path.samestat(here, known):
            _share(target, file, link)
        return
    sync_file(file)
    storage.make_folder(target.parent)
    with _making() as second:
        _link_or_copy(file, second, link)
        os.utime(second)
        second.replace(target)
    sync_folder(target.parent)


def remove(sha256: str) -> None:
    """Delete the object with this content, if there is one; the other names of its bytes stay."""
    storage.absolute(path_of(sha256)).unlink(missing_ok=True)


def shards() -> Iterator[list[str]]:
    """The SHA-256 of every object, in 256 lists."""
    base = storage.absolute(str(OBJECTS))
    for folder in sorted(base.iterdir()) if base.is_dir() else ():
        names = [folder.name + file.name for file in folder.iterdir()]
        yield sorted(name for name in names if _SHA256.fullmatch(name))


def _share(target: Path, file: Path, link: Link) -> None:
    """Make `file` a name of the bytes of `target`, which are the same; or leave them twice."""
    with _making() as second:
        try:
            link(target, second)
            second.replace(file)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return
    sync_folder(file.parent)


def _link_or_copy(file: Path, second: Path, link: Link) -> None:
    readable = stat.S_IMODE(file.stat().st_mode) & 0o444
    try:
        file.chmod(readable)
        link(file, second)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copyfile(file, second)
        second.chmod(readable)
        sync_file(second)


@contextmanager
def _making() -> Iterator[Path]:
    """A name that is nobody's, for a moment; what a crash leaves there is swept after a day."""
    second = storage.absolute(str(storage.MAKING / uuid.uuid4().hex))
    storage.make_folder(second.parent)
    try:
        yield second
    finally:
        second.unlink(missing_ok=True)
