"""Works the queue of jobs, inside the node's one server process.

The keeper thread holds an advisory lock of the node's database for as long as the server lives, so
a second server on the same database refuses to start. Holding it, it buries the jobs that the last
server left behind, and from then on sweeps out old ones. One thread per slot takes jobs and runs
each as a child process.

A database that goes away stops nothing: the child works on, what it says waits in memory, and the
threads try again until the database answers. If another server has taken over meanwhile, this one
kills its children and ends itself.
"""

import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, TypeVar
from uuid import UUID, uuid4

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from apps.node import workspaces
from apps.node.child import Child, Exited
from apps.node.models import Job, NodeStatus
from apps.node.operations import runs
from apps.node.run import Run
from apps.node.specification import CannotRun, specify

__all__ = ["AnotherServer", "Runner"]

logger = logging.getLogger(__name__)
T = TypeVar("T")

# While the lock is lost, another server could take the database.
_TAKE_AGAIN_EVERY: Final = timedelta(milliseconds=200)
_LOCK_KEY: Final = 4_070_301_881  # any number; the lock is per database
_LOOK_SECONDS: Final = 0.5
_KEEP_EVERY: Final = timedelta(seconds=5)
_SWEEP: Final = timedelta(minutes=10)
_RETRY_SECONDS: Final = 1.0
_JOIN_SECONDS: Final = 10.0
_DATABASE_AWAY: Final = (OperationalError, InterfaceError)


def _end_process() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def _now() -> datetime:
    return datetime.now(UTC)


class AnotherServer(Exception):
    """Another server works on this database."""


class _Stopping(Exception):
    """The runner was told to stop while it waited."""


class Runner:
    """The node's keeper and slots; `start` once, `stop` once."""

    def __init__(
        self,
        *,
        slots: int,
        lock_patience: timedelta,
        keep_every: timedelta = _KEEP_EVERY,
        end_process: Callable[[], None] = _end_process,
        now: Callable[[], datetime] = _now,
    ) -> None:
        """Make a runner that does nothing yet.

        Args:
            slots: Jobs at work at the same time.
            lock_patience: How long `start` waits for another server to let go.
            keep_every: How often the keeper looks whether the database is still this server's.
            end_process: Called when this server must not serve on: another has taken its database,
                or one of the threads has died.
            now: The runner's clock, by which results grow old.
        """
        self.server: Final[UUID] = uuid4()
        self._slots = slots
        self._lock_patience = lock_patience
        self._keep_every = keep_every
        self._end_process = end_process
        self._now = now
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._claiming = threading.Lock()
        self._running: dict[str, Child | None] = {}
        self._swept_at: datetime | None = None

    def start(self) -> None:
        """Take over the node's database and begin to work.

        Raises:
            AnotherServer: It is another server's, also after some patience (a killed predecessor's
                connection takes a moment to close).
            django.db.DatabaseError: The database does not answer, or is not migrated.
        """
        outcome: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
        self._spawn(partial(self._keep, outcome), "keeper")
        failure = outcome.get()
        if failure is not None:
            raise failure
        for number in range(self._slots):
            self._spawn(self._work, f"slot-{number}")

    def stop(self) -> None:
        """Kill the children and end the threads. Jobs at work are buried by the next server."""
        self._stop.set()
        self._kill_children()
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)

    def _spawn(self, target: Callable[[], None], name: str) -> None:
        def run() -> None:
            try:
                target()
            except Exception:
                # A node without its runner must not go on taking jobs.
                logger.exception("The thread %s of the runner died", name)
                self._end_process()
            finally:
                connection.close()

        thread = threading.Thread(target=run, name=f"node-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _kill_children(self) -> None:
        with self._claiming:
            children = [child for child in self._running.values() if child is not None]
        for child in children:
            child.kill()

    # The keeper

    def _keep(self, outcome: "queue.SimpleQueue[Exception | None]") -> None:
        try:
            self._take_lock()
            buried = runs.begin_service(server=self.server, now=self._now())
        except Exception as error:
            outcome.put(error)  # `start` raises it, whatever it is
            return
        logger.info("The runner serves; %d jobs of the server before it are dead.", buried)
        outcome.put(None)
        held = True
        while not self._stop.wait(
            (self._keep_every if held else _TAKE_AGAIN_EVERY).total_seconds()
        ):
            try:
                if not held:
                    self._take_lock()
                    held = True
                if not NodeStatus.objects.filter(server=self.server).exists():
                    raise AnotherServer
                self._sweep()
            except _DATABASE_AWAY:
                logger.warning("The database is away; the keeper tries again.")
                connection.close()
                held = False
            except OSError:
                # Old files can wait; jobs at work cannot, and they would die with this server.
                logger.exception("The disk refuses the sweep; it is tried again.")
            except AnotherServer:
                logger.critical("Another server took this node's database; this one ends.")
                self._stop.set()
                self._kill_children()
                self._end_process()
            except _Stopping:
                return

    def _take_lock(self) -> None:
        """Take the session's advisory lock, waiting a little for it.

        Raises:
            AnotherServer: It stays taken.
            _Stopping: The server stops.
        """
        deadline = time.monotonic() + self._lock_patience.total_seconds()
        while True:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK_KEY])
                if cursor.fetchone() == (True,):
                    return
            if time.monotonic() > deadline:
                raise AnotherServer("Another server works on this node's database.")
            if self._stop.wait(_LOOK_SECONDS / 4):
                raise _Stopping

    def _sweep(self) -> None:
        now = self._now()
        if self._swept_at is not None and now < self._swept_at + _SWEEP:
            return
        retire_after = timedelta(days=settings.NODE_RETENTION_DAYS)
        noticed = runs.give_notice(
            now=now,
            notice_after=timedelta(days=settings.NODE_NOTICE_DAYS),
            retire_after=retire_after,
        )
        retired = runs.retire_jobs(now=now, retire_after=retire_after)
        runs.remove_orphans(now=now)
        if noticed or retired:
            logger.info("Swept: %d jobs will go soon, %d are retired.", noticed, retired)
        self._swept_at = now

    # The slots

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                job = self._claim()
                if job is None:
                    self._stop.wait(_LOOK_SECONDS)
                    continue
                try:
                    self._run(job)
                finally:
                    with self._claiming:
                        del self._running[job.pk]
            except runs.RunLost as error:
                logger.warning("Job %s belongs to another server now.", error)
            except _Stopping:
                return

    def _claim(self) -> Job | None:
        with self._claiming:
            job = self._patiently(
                lambda: runs.claim_job(
                    server=self.server, running=list(self._running), now=self._now()
                )
            )
            if job is not None:
                self._running[job.pk] = None
        return job

    def _run(self, job: Job) -> None:
        """Run one job to its end.

        Raises:
            runs.RunLost: Another server has it.
            _Stopping: The server stops.
        """
        run = Run(job, server=self.server, patiently=self._patiently)
        try:
            try:
                specification = specify(job)
            except CannotRun as error:
                run.refuse(str(error), self._now())
                return
            self._follow(
                run,
                Child.start(
                    specification=specification,
                    workspace=workspaces.workspace(job.pk),
                    log=run.log,
                ),
            )
        except (runs.RunLost, _Stopping):
            raise
        except Exception:
            # Whatever is wrong with one job must not cost the node its slot.
            logger.exception("Job %s cannot be run", job.pk)
            run.give_up(self._now())

    def _follow(self, run: Run, child: Child) -> None:
        with self._claiming:
            self._running[run.job.pk] = child
        look_at = 0.0
        try:
            while True:
                if self._stop.is_set():
                    raise _Stopping
                if time.monotonic() >= look_at:
                    if not run.canceled and self._patiently(run.is_cancel_requested):
                        run.canceled = True
                        child.kill()
                    look_at = time.monotonic() + _LOOK_SECONDS
                try:
                    at, event = child.events.get(timeout=_LOOK_SECONDS)
                except queue.Empty:
                    continue
                run.take(event, at)
                if isinstance(event, Exited):
                    return
        finally:
            child.kill()

    def _patiently(self, action: Callable[[], T]) -> T:
        """Do `action`, again and again while the database is away.

        Raises:
            _Stopping: The server stops.
        """
        while True:
            try:
                return action()
            except _DATABASE_AWAY:
                logger.warning("The database is away; trying again.")
                connection.close()
                if self._stop.wait(_RETRY_SECONDS):
                    raise _Stopping from None
