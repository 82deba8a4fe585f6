"""Files derived from a panel, made once and kept beside it in `cache/`.

Two processes may want the same file at once: one makes it, the other waits on a lock and then
finds it. It appears under its name only when complete and on the disk, so neither a killed maker
nor a power cut leaves anything that could be taken for it.
"""

import fcntl
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from apps.shared.durable import sync_tree

__all__ = ["derived"]


def derived(panel_folder: Path, name: str, make: Callable[[Path], None]) -> Path:
    """Return `<panel_folder>/cache/<name>`, making it first when it is not there.

    Args:
        name: File or folder name; names the content, so that a changed format has another name.
        make: Writes the file or folder at the path it is given; what it raises rises.
    """
    cache = panel_folder / "cache"
    path = cache / name
    if path.exists():
        return path
    cache.mkdir(exist_ok=True)
    with (cache / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            return path
        for left in cache.glob(f".{name}.making-*"):
            shutil.rmtree(left, ignore_errors=True)
        making = Path(tempfile.mkdtemp(prefix=f".{name}.making-", dir=cache))
        try:
            make(making / name)
            sync_tree(making / name)
            (making / name).rename(path)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return path
