"""Small file systems in memory, mounted where a platform writes, and filled as a test wants."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.site import Site

__all__ = ["CannotMount", "Disk", "SmallDisks"]


class CannotMount(Exception):
    """This user may not mount a file system."""


@dataclass(frozen=True)
class Disk:
    """A file system of a few megabytes at `folder`."""

    folder: Path

    @contextmanager
    def filled(self, *, leave: int) -> Iterator[None]:
        """Only `leave` bytes are free, rounded down to whole pages."""
        filler = self.folder / "filler"
        room = os.statvfs(self.folder)
        size = max(0, (room.f_bavail - leave // room.f_frsize) * room.f_frsize)
        with filler.open("wb") as file:
            if size:
                os.posix_fallocate(file.fileno(), 0, size)
        try:
            yield
        finally:
            filler.unlink()


class SmallDisks:
    """Mounts for one site; the data that was there before is there again afterwards."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @contextmanager
    def at(self, deployment: str, size: int) -> Iterator[Disk]:
        """The data folder of the monolith begins anew; a node keeps its panels."""
        folder = self._site.state.data(deployment).resolve()
        panels = folder / "panels"
        kept = folder.with_name(f"{folder.name}-panels")
        if panels.is_dir():
            shutil.copytree(panels, kept)
        with mounted(folder, size, user=os.geteuid()) as disk:
            for name in ("uploads/arriving", "uploads", "jobs"):
                (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            if kept.is_dir():
                shutil.copytree(kept, panels)
            try:
                yield disk
            finally:
                shutil.rmtree(kept, ignore_errors=True)

    @contextmanager
    def for_postgres(self, size: int) -> Iterator[Disk]:
        """A disk for a tablespace."""
        folder = self._site.state.postgres.resolve() / "small"
        folder.mkdir()
        user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid()
        try:
            with mounted(folder, size, user=user) as disk:
                yield disk
        finally:
            folder.rmdir()


@contextmanager
def mounted(folder: Path, size: int, *, user: int) -> Iterator[Disk]:
    """A file system of `size` bytes over `folder`.

    Raises:
        CannotMount: This user may not.
    """
    options = f"size={size},mode=700,uid={user}"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CannotMount(done.stderr.strip())
    try:
        yield Disk(folder)
    finally:  # lazily: servers may hold it a moment longer
        subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S607
