"""New files that appear whole or not at all, whenever the process ends.

The story of a target folder. One run at a time holds it, by a lock that the kernel lets go when the
process ends. The run works in `.repair` inside it: what is to stay grows in `.repair/made`, what is
not in `.repair/work`. When all is written and on the disk, `made` is renamed `ready`, which is the
one moment that decides; then each file is renamed to its place and `.repair` is removed.

A run that was killed leaves `.repair`. The next one that takes the folder finishes it: without
`ready` it is removed, with `ready` the files that are still in it are whole and go to their place.
"""

import fcntl
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from apps.genotypes.repair.refusals import Refused
from apps.shared.durable import sync_file, sync_folder

__all__ = ["TargetFolder"]

_NAME = ".repair"


class TargetFolder:
    """A folder that receives new files; use it in a `with`.

    Attributes:
        path: The folder.
        work: Where a run may write what nobody is to see.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._own = self.path / _NAME
        self._made = self._own / "made"
        self._ready = self._own / "ready"
        self.work = self._own / "work"
        self._lock = -1

    def __enter__(self) -> Self:
        """Take the folder, made if it is not there.

        Raises:
            Refused: another run works in it.
            OSError: it cannot be made or written.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise Refused(
                "folder-busy",
                f"Another repair is writing into the folder {self.path.name}.",
                remedy="Wait until it has ended, or choose another folder.",
            ) from None
        try:
            self._finish_last_run()
            self._made.mkdir(parents=True)
            self.work.mkdir()
        except BaseException:
            os.close(self._lock)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._own.exists():
                shutil.rmtree(self._own)
        finally:
            os.close(self._lock)

    def new(self, name: str) -> Path:
        """Where to write the file that will be called `name`.

        Raises:
            Refused: the folder has a file of that name.
        """
        self._check_free(name)
        return self._made / name

    def publish(self) -> list[Path]:
        """Bring all new files to the disk and to their places; return them sorted by name.

        Raises:
            Refused: a file of one of the names appeared meanwhile; nothing is published.
            OSError: the disk refuses; nothing is published.
        """
        names = sorted(path.name for path in self._made.iterdir())
        for name in names:
            self._check_free(name)
            sync_file(self._made / name)
        sync_folder(self._made)
        self._made.rename(self._ready)
        sync_folder(self._own)
        self._move_ready()
        return [self.path / name for name in names]

    def _check_free(self, name: str) -> None:
        if os.path.lexists(self.path / name):
            raise Refused(
                "name-taken",
                f"The folder has a file {name} already, and no file is ever replaced.",
                remedy="Move it away or choose another folder.",
            )

    def _finish_last_run(self) -> None:
        if self._ready.is_dir():
            self._move_ready()
        if self._own.exists():
            shutil.rmtree(self._own)

    def _move_ready(self) -> None:
        for path in sorted(self._ready.iterdir()):
            path.rename(self.path / path.name)
        sync_folder(self.path)
