"""What the node's server process does besides answering requests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from django.conf import settings

from apps.node import workspaces
from apps.node.runner import Runner
from apps.shared.asgi import keep_bodies_in

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
    keep_bodies_in(workspaces.uploads_root())
    try:
        yield
    finally:
        await asyncio.to_thread(runner.stop)
