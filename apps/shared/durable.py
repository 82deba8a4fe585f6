"""Files that survive a power cut: first their bytes, then every name that leads to them."""

import errno
import os
from pathlib import Path
from typing import Final

__all__ = ["is_no_room", "sync_file", "sync_folder", "sync_tree"]

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def is_no_room(error: BaseException) -> bool:
    """Whether a write failed since the disk, the quota or the largest file is full."""
    return isinstance(error, OSError) and error.errno in _NO_ROOM


def sync_file(path: Path) -> None:
    """Bring the bytes of a file to the disk, whoever wrote them; its name is the folder's."""
    _sync(path)


def sync_folder(folder: Path) -> None:
    """Bring the names in `folder` to the disk."""
    _sync(folder)


def sync_tree(root: Path) -> None:
    """Bring a file, or a folder with all that is below it, to the disk; its own name is not."""
    if root.is_dir():
        for path in root.iterdir():
            sync_tree(path)
    _sync(root)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
