"""What the node's server process does besides answering requests."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from django.conf import settings

from apps.node import workspaces
from apps.node.runner import Runner

__all__ = ["lifespan"]


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Start the runner before the first request and stop it after the last.

    Raises:
        AnotherServer: The database is served already; the process must end.
    """
    runner = Runner(
        slots=settings.NODE_WORKERS,
        lock_patience=timedelta(seconds=settings.NODE_LOCK_PATIENCE_SECONDS),
    )
    await asyncio.to_thread(runner.start)
    _use_own_disk()
    try:
        yield
    finally:
        await asyncio.to_thread(runner.stop)


def _use_own_disk() -> None:
    """Keep arriving request bodies beside the workspaces, and forget those of a killed server.

    Django stores a body in the system's temporary folder, whatever its upload settings say; that
    folder is often in memory, and a study is gigabytes.
    """
    folder = workspaces.uploads_root()
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.is_file():
            path.unlink()
    tempfile.tempdir = str(folder)
