"""One short step of one job: look at the row, act once at the service, store what follows.

Nothing waits here: a job that has to wait is a row with a later `next_poll_at`. All deciding is
in `jobs.decisions`; all writing is under the lease and its fence (`jobs.lease`).
"""

import logging
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.federation.protocol import (
    Download,
    DownloadFailed,
    ExternalFile,
    ExternalJob,
    FederationError,
    InputFile,
    NoRoom,
    Rejected,
    Submission,
)
from federated_imputation.monolith.accounts import operations as account_operations
from federated_imputation.monolith.accounts import queries as accounts
from federated_imputation.monolith.files import operations as file_operations
from federated_imputation.monolith.files import queries as files
from federated_imputation.monolith.jobs import decisions, places, submission
from federated_imputation.monolith.jobs.calls import Calls
from federated_imputation.monolith.jobs.clients import Connect, connect
from federated_imputation.monolith.jobs.decisions import Action, Outcome, Phase, Work
from federated_imputation.monolith.jobs.history import lock, record, work_of
from federated_imputation.monolith.jobs.lease import LEASE, Claim, Hold, LeaseLost, claim, held
from federated_imputation.monolith.jobs.models import JobWork
from federated_imputation.monolith.jobs.states import FINAL
from federated_imputation.monolith.jobs.submission import Wish

__all__ = ["advance"]

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]
# What is written in the transaction of an outcome besides the job.
Also = Callable[[], None] | None


def free_bytes(folder: Path) -> int:
    """Bytes that may still be written below `folder`."""
    return shutil.disk_usage(folder).free


def advance(
    job_id: UUID,
    *,
    clock: Clock = timezone.now,
    connect: Connect = connect,
    jitter: Callable[[], float] = random.random,
    room: Callable[[Path], int] = free_bytes,
) -> bool:
    """Do the next step of a job, if it is due and nobody else does it.

    May be called twice, late or for a job that is gone: the row decides. An unexpected exception
    rises; the lease then runs out and the step is tried again, ever more rarely.

    Returns:
        Whether the job is due again at once.
    """
    claimed = claim(job_id, now=clock())
    if claimed is None or _has_stumbled(claimed, now=clock(), jitter=jitter()):
        return False
    with held(claimed, clock=clock) as hold:
        try:
            return _Step(
                claimed, hold=hold, clock=clock, connect=connect, jitter=jitter, room=room
            ).run()
        except LeaseLost:
            logger.warning("Another worker took over job %s; this step is dropped.", job_id)
            return False


@transaction.atomic
def _has_stumbled(claimed: Claim, *, now: datetime, jitter: float) -> bool:
    """Whether the job waits because its steps are lost again and again; counts the one before."""
    if not claimed.is_left_over:
        return False
    row = lock(claimed.pk, fence=claimed.fence)
    if row is None:
        return True
    row.lost_steps += 1
    row.holds_place = False
    outcome = decisions.stumbled(work_of(row), lost_steps=row.lost_steps, now=now, jitter=jitter)
    if outcome is None:
        row.save(update_fields=["lost_steps", "holds_place"])
        return False
    row.lease_until = None
    record(row, outcome, now=now)
    return True


class _Step:
    """The step of one worker under one claim."""

    def __init__(
        self,
        claimed: Claim,
        *,
        hold: Hold,
        clock: Clock,
        connect: Connect,
        jitter: Callable[[], float],
        room: Callable[[Path], int],
    ) -> None:
        self._room = room
        self._claim = claimed
        self._hold = hold
        self._clock = clock
        self._jitter = jitter
        row = JobWork.objects.select_related("job__service", "job__reference_panel").get(
            job_id=claimed.pk
        )
        self._job = row.job
        self._work: Work = work_of(row)
        self._row = row
        self._calls = Calls(self._job, clock=clock, connect=connect, jitter=jitter)
        self._has_place = self._is_waiting = False

    def run(self) -> bool:
        action = decisions.next_action(self._work, now=self._clock())
        due_again = False
        while action is not None:
            outcome, also = self._act(action)
            outcome = self._warned(outcome)
            # What brings no news needs no row of its own before the action that follows it.
            if outcome.events or outcome.then is None:
                due_again = self._store(outcome, also)
            self._work = outcome.work
            action = outcome.then
        return due_again

    def _act(self, action: Action) -> tuple[Outcome, Also]:
        if self._is_transfer(action) and (queued := self._queued()) is not None:
            return queued, None
        match action:
            case decisions.Cancel():
                return decisions.cancelled_unsent(self._work), None
            case decisions.Prepare():
                return self._prepare()
            case decisions.Send(submission=ready):
                return self._send(ready), None
            case decisions.Search():
                return self._search(), None
            case decisions.AskCancel():
                return self._ask_cancel(), None
            case decisions.Look():
                return self._look(), None
            case decisions.Restart():
                return self._restart(), None
            case decisions.Fetch(external=external):
                return self._fetch(external)
        raise TypeError(f"No worker can do {action!r}.")

    def _prepare(self) -> tuple[Outcome, Also]:
        password = submission.new_password()
        try:
            file = self._input_file()
            chosen = submission.choose(self._wish(), self._calls.ask(lambda at: at.discover()))
        except FederationError as error:
            return self._failed(decisions.submission_failed, error), None

        def keep_password() -> None:
            account_operations.store_credential(
                service_id=self._job.service_id,
                user_id=self._job.user_id,
                job_id=self._job.pk,
                kind=account_operations.CredentialKind.RESULT_PASSWORD,
                secret=password,
                now=self._clock(),
            )

        ready = chosen.submission(tag=self._tag, password=password, file=file)
        intended = decisions.intended(self._work, ready, in_place_of=chosen.in_place_of)
        return intended, keep_password

    def _send(self, ready: Submission) -> Outcome:
        try:
            with _misfits_refused():
                external_id = self._calls.ask(lambda at: at.submit(ready, progress=self._go_on))
        except FederationError as error:
            if isinstance(error, Rejected) and not self._offers(ready.panel):
                return self._failed(decisions.offer_changed, error)
            return self._failed(decisions.submission_failed, error)
        return decisions.submitted(self._work, external_id)

    def _offers(self, panel: str) -> bool:
        """Whether the service offers the panel still, as far as it tells."""
        try:
            offered = self._calls.ask(lambda at: at.discover())
        except FederationError:
            return True
        return offered.in_maintenance or any(each.key == panel for each in offered.panels)

    def _search(self) -> Outcome:
        try:
            found = self._calls.ask(lambda at: at.find(self._tag))
        except FederationError as error:
            return self._failed(decisions.search_failed, error)
        size = self._job.input_file_size or 0
        return decisions.searched(self._work, found, size=size, now=self._clock())

    def _ask_cancel(self) -> Outcome:
        try:
            with _misfits_refused():
                external = self._calls.ask(lambda at: at.cancel(self._work.external_id))
        except FederationError as error:
            return self._failed(decisions.cancel_refused, error)
        return decisions.cancel_asked(self._work, external, now=self._clock())

    def _look(self) -> Outcome:
        try:
            with _misfits_refused():
                external = self._calls.ask(lambda at: at.job(self._work.external_id))
        except FederationError as error:
            return self._failed(decisions.look_failed, error)
        return decisions.looked(self._work, external)

    def _restart(self) -> Outcome:
        try:
            self._calls.ask(lambda at: at.restart(self._work.external_id))
        except FederationError as error:
            return self._failed(decisions.restart_failed, error)
        return decisions.restarted(self._work)

    def _fetch(self, external: ExternalJob) -> tuple[Outcome, Also]:
        paths = {file.name: self._path_of(file) for file in external.files}
        here = files.stored_paths(job_id=self._job.pk)
        stored = {name for name, path in paths.items() if path in here}
        file = decisions.next_file(self._work, external, stored=stored)
        if file is None:
            return decisions.finished(self._work, external), None
        path = paths[file.name]
        try:
            download = self._download(file, path)
        except FederationError as error:
            return self._failed(partial(decisions.fetch_failed, file=file), error), None
        except OSError as error:
            logger.exception("A result of job %s could not be written.", self._job.pk)
            trouble = NoRoom(f"It could not be written here: {error.strerror}.", counted=False)
            return self._failed(partial(decisions.fetch_failed, file=file), trouble), None

        def keep_result() -> None:
            # Under the lock and the fence: a worker that was too slow never gets here.
            file_operations.keep_result(
                job_id=self._job.pk,
                name=file.name,
                path=path,
                download=download,
                output=file.output,
                now=self._clock(),
            )

        outcome = decisions.fetched(self._work, file, download, external=external, stored=stored)
        return outcome, keep_result

    def _download(self, file: ExternalFile, path: str) -> Download:
        """`file`, whole, at its place for good or beside it.

        Only a whole file ever gets one of these names, so one that is there already was fetched by
        a worker that could not say so (it died, or the database was away) and costs no second
        download. Who takes over may move it, but this worker then has lost the job.
        """
        if (whole := files.arrived_result(path=path)) is not None:
            return whole
        beside = file_operations.make_place(path=path, holder=self._claim.fence)
        try:
            password = accounts.reveal_result_password(job_id=self._job.pk)
        except accounts.Undecryptable as error:
            raise DownloadFailed(str(error), counted=False) from error
        if self._room(beside.parent) < decisions.room_needed(file):
            raise NoRoom(
                "There is not enough room for it here now; it is fetched when there is.",
                counted=False,
            )
        return self._calls.ask(
            lambda at: at.download(file, beside, password=password, progress=self._go_on)
        )

    def _store(self, outcome: Outcome, also: Also) -> bool:
        """Write what follows, if this worker still holds the job; renew or end the lease.

        Raises:
            LeaseLost: It does not.
        """
        now = self._clock()
        with transaction.atomic():
            row = lock(self._claim.pk, fence=self._claim.fence)
            if row is None:
                raise LeaseLost
            if also is not None:
                also()
            had_place = row.holds_place
            row.lost_steps = 0
            row.token_warned_for = self._row.token_warned_for
            if outcome.then is None:
                row.lease_until = None
                row.holds_place = False
                row.place_wanted_at = row.place_wanted_at if self._is_waiting else None
            else:
                row.lease_until = now + LEASE
            record(row, outcome, now=now)
            if had_place and not row.holds_place:
                places.wake_next(service=self._job.service, now=now)
        return row.next_poll_at is not None and row.next_poll_at <= now

    def _failed(self, decide: Callable[..., Outcome], error: FederationError) -> Outcome:
        outcome: Outcome = decide(self._work, error, now=self._clock(), jitter=self._jitter())
        return outcome

    def _go_on(self, _bytes: int) -> None:
        self._hold.check()

    def _is_transfer(self, action: Action) -> bool:
        """Whether `action` sends a study or fetches files, or is about to."""
        return isinstance(action, decisions.Prepare | decisions.Fetch) or (
            isinstance(action, decisions.Look) and self._work.phase is Phase.FETCH
        )

    def _queued(self) -> Outcome | None:
        """What follows for a job that has to wait for a place; `None` when it has one."""
        if self._has_place:
            return None
        wait = places.take(self._claim, service=self._job.service, now=self._clock())
        self._has_place, self._is_waiting = wait is None, wait is not None
        if wait is None:
            return None
        is_first = self._row.place_wanted_at is None
        return decisions.waits_for_a_place(self._work, wait=wait, is_first=is_first)

    def _warned(self, outcome: Outcome) -> Outcome:
        """`outcome` with a warning when the token that was used will not last."""
        warning = decisions.token_warning(
            expires=self._calls.token_expires,
            warned_for=self._row.token_warned_for,
            now=self._clock(),
        )
        if warning is None or outcome.work.status in FINAL:
            return outcome
        self._row.token_warned_for = self._calls.token_expires
        return replace(outcome, events=(warning, *outcome.events))

    def _path_of(self, file: ExternalFile) -> str:
        return files.result_path(job_id=self._job.pk, attempt=self._work.attempt, name=file.name)

    def _input_file(self) -> InputFile:
        """The upload of the job.

        Raises:
            Rejected: It is not here (any more).
        """
        path = files.bytes_of_input(job_id=self._job.pk)
        if path is None:
            raise Rejected("The uploaded file is no longer here.", status=410)
        return InputFile(path=path, name=files.upload_name(str(self._job.input_file)))

    def _wish(self) -> Wish:
        return Wish(
            panel=self._job.reference_panel.panel_id,
            build=self._job.build,
            phasing=self._job.phasing,
            population=self._job.population,
            panel_build=self._job.reference_panel.build,
        )

    @property
    def _tag(self) -> str:
        return decisions.tag_of(self._job.pk, self._work.attempt)


@contextmanager
def _misfits_refused() -> Iterator[None]:
    """Make what an adapter calls impossible to send (an id or a name of another kind) a refusal."""
    try:
        yield
    except ValueError as error:
        raise Rejected(str(error), status=400) from error
