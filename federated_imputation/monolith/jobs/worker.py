"""One short step of one job: look at the row, act once at the service, store what follows.

Nothing waits here: a job that has to wait is a row with a later `next_poll_at`. All deciding is
in `jobs.decisions`; all writing is under the lease and its fence (`jobs.lease`).
"""

import logging
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    ImputationService,
    InputFile,
    NotAuthenticated,
    Rejected,
    Submission,
)
from federated_imputation.monolith.accounts import operations as account_operations
from federated_imputation.monolith.accounts import queries as accounts
from federated_imputation.monolith.accounts.models import ServiceCredential
from federated_imputation.monolith.files import operations as file_operations
from federated_imputation.monolith.files import queries as files
from federated_imputation.monolith.files import storage
from federated_imputation.monolith.jobs import decisions, submission
from federated_imputation.monolith.jobs.clients import Connect, connect
from federated_imputation.monolith.jobs.decisions import Action, Outcome, Work
from federated_imputation.monolith.jobs.history import lock, record, work_of
from federated_imputation.monolith.jobs.lease import LEASE, Claim, Hold, LeaseLost, claim, held
from federated_imputation.monolith.jobs.models import JobWork
from federated_imputation.monolith.jobs.submission import Wish

__all__ = ["advance"]

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]
# What is written in the transaction of an outcome besides the job.
Also = Callable[[], None] | None


def advance(
    job_id: UUID,
    *,
    clock: Clock = timezone.now,
    connect: Connect = connect,
    jitter: Callable[[], float] = random.random,
) -> bool:
    """Do the next step of a job, if it is due and nobody else does it.

    May be called twice, late or for a job that is gone: the row decides. An unexpected exception
    rises; the lease then runs out and the step is tried again.

    Returns:
        Whether the job is due again at once.
    """
    claimed = claim(job_id, now=clock())
    if claimed is None:
        return False
    with held(claimed, clock=clock) as hold:
        try:
            return _Step(claimed, hold=hold, clock=clock, connect=connect, jitter=jitter).run()
        except LeaseLost:
            logger.warning("Another worker took over job %s; this step is dropped.", job_id)
            return False


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
    ) -> None:
        self._claim = claimed
        self._hold = hold
        self._clock = clock
        self._connect = connect
        self._jitter = jitter
        row = JobWork.objects.select_related("job__service", "job__reference_panel").get(
            job_id=claimed.pk
        )
        self._job = row.job
        self._work: Work = work_of(row)
        self._service: ImputationService | None = None

    def run(self) -> bool:
        action = decisions.next_action(self._work, now=self._clock())
        due_again = False
        while action is not None:
            outcome, also = self._act(action)
            # What brings no news needs no row of its own before the action that follows it.
            if outcome.events or outcome.then is None:
                due_again = self._store(outcome, also)
            self._work = outcome.work
            action = outcome.then
        return due_again

    def _act(self, action: Action) -> tuple[Outcome, Also]:
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
            chosen = submission.choose(self._wish(), self._at_service().discover())
        except FederationError as error:
            return self._failed(decisions.submission_failed, error), None

        def keep_password() -> None:
            account_operations.store_credential(
                service_id=self._job.service_id,
                user_id=self._job.user_id,
                job_id=self._job.pk,
                kind=ServiceCredential.Kind.RESULT_PASSWORD,
                secret=password,
                now=self._clock(),
            )

        ready = chosen.submission(tag=self._tag, password=password, file=file)
        return decisions.intended(self._work, ready), keep_password

    def _send(self, ready: Submission) -> Outcome:
        try:
            with _misfits_refused():
                external_id = self._at_service().submit(ready, progress=self._go_on)
        except FederationError as error:
            return self._failed(decisions.submission_failed, error)
        return decisions.submitted(self._work, external_id)

    def _search(self) -> Outcome:
        try:
            found = self._at_service().find(self._tag)
        except FederationError as error:
            return self._failed(decisions.search_failed, error)
        size = self._job.input_file_size or 0
        return decisions.searched(self._work, found, size=size, now=self._clock())

    def _ask_cancel(self) -> Outcome:
        try:
            with _misfits_refused():
                external = self._at_service().cancel(self._work.external_id)
        except FederationError as error:
            return self._failed(decisions.cancel_refused, error)
        return decisions.cancel_asked(self._work, external, now=self._clock())

    def _look(self) -> Outcome:
        try:
            with _misfits_refused():
                external = self._at_service().job(self._work.external_id)
        except FederationError as error:
            return self._failed(decisions.look_failed, error)
        return decisions.looked(self._work, external)

    def _restart(self) -> Outcome:
        try:
            self._at_service().restart(self._work.external_id)
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
        target = storage.absolute(paths[file.name])
        try:
            download = self._download(file, target)
        except FederationError as error:
            return self._failed(partial(decisions.fetch_failed, file=file), error), None
        except OSError as error:
            logger.exception("A result of job %s could not be written.", self._job.pk)
            trouble = DownloadFailed(f"No room here: {error.strerror}.", counted=False)
            return self._failed(partial(decisions.fetch_failed, file=file), trouble), None

        def keep_result() -> None:
            # Under the lock and the fence: a worker that was too slow never gets here.
            if download.path != target:
                storage.settle(download.path, target)
            file_operations.keep_result(
                job_id=self._job.pk,
                name=file.name,
                path=paths[file.name],
                size=download.size,
                sha256=download.sha256,
                output=file.output,
                now=self._clock(),
            )

        outcome = decisions.fetched(self._work, file, download, external=external, stored=stored)
        return outcome, keep_result

    def _download(self, file: ExternalFile, target: Path) -> Download:
        """`file`, whole, at `target` or beside it.

        Nothing but a whole file ever gets the name `target`, so one that is there already was
        fetched by a worker that died before it could say so, and is not fetched again.
        """
        if target.is_file():
            size, sha256 = storage.digest(target)
            return Download(path=target, size=size, sha256=sha256)
        storage.make_folder(target.parent)
        beside = target.with_name(f"{target.name}.{self._claim.fence}")
        try:
            password = accounts.reveal_result_password(job_id=self._job.pk)
        except accounts.Undecryptable as error:
            raise DownloadFailed(str(error), counted=False) from error
        return self._at_service().download(file, beside, password=password, progress=self._go_on)

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
            row.lease_until = now + LEASE if outcome.then is not None else None
            record(row, outcome, now=now)
        return row.next_poll_at is not None and row.next_poll_at <= now

    def _failed(self, decide: Callable[..., Outcome], error: FederationError) -> Outcome:
        outcome: Outcome = decide(self._work, error, now=self._clock(), jitter=self._jitter())
        return outcome

    def _go_on(self, _bytes: int) -> None:
        self._hold.check()

    def _at_service(self) -> ImputationService:
        """The adapter with the token that is best now.

        Raises:
            NotAuthenticated: The service needs a token and there is none (any more).
            Rejected: There is no adapter for the service's API.
        """
        if self._service is None:
            try:
                token = accounts.reveal_credential(
                    service_id=self._job.service_id,
                    user_id=self._job.user_id,
                    job_id=self._job.pk,
                    now=self._clock(),
                )
            except accounts.Undecryptable as error:
                raise NotAuthenticated(str(error), status=401) from error
            if token is None and self._job.service.api_key_required:
                raise NotAuthenticated("No valid token is stored for this service.", status=401)
            self._service = self._connect(service=self._job.service, token=token or "")
        return self._service

    def _path_of(self, file: ExternalFile) -> str:
        return storage.result_path(job_id=self._job.pk, attempt=self._work.attempt, name=file.name)

    def _input_file(self) -> InputFile:
        """The upload of the job.

        Raises:
            Rejected: It is not here (any more).
        """
        name = str(self._job.input_file)
        path = storage.find(name)
        if path is None:
            raise Rejected("The uploaded file is no longer here.", status=410)
        return InputFile(path=path, name=storage.upload_name(name))

    def _wish(self) -> Wish:
        return Wish(
            panel=self._job.reference_panel.panel_id,
            build=self._job.build,
            phasing=self._job.phasing,
            population=self._job.population,
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
