"""Asking how many jobs stand, one after the other: the step that is done most, made cheap.

A batch is of one service. Its jobs are claimed, their tokens read and its quiet looks written down
each in one statement; news is written job by job, as by any other step. What a look makes due (a
file to fetch, a restart) is announced as a step of its own. A batch ends at the first call that
stays without an answer, or after `LONGEST`; the rest is due at once again, so that the breaker
hears of a silent service soon and no thread waits for a hundred time-outs.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.federation.protocol import FederationError, Rejected
from federated_imputation.monolith.accounts import queries as accounts
from federated_imputation.monolith.jobs import decisions, lease
from federated_imputation.monolith.jobs.calls import Calls
from federated_imputation.monolith.jobs.clients import Connect, connect
from federated_imputation.monolith.jobs.decisions import Outcome, Work
from federated_imputation.monolith.jobs.history import lock, record, work_of
from federated_imputation.monolith.jobs.lease import Quiet
from federated_imputation.monolith.jobs.models import ImputationJob, JobWork
from federated_imputation.monolith.jobs.pace import next_look
from federated_imputation.monolith.jobs.states import FINAL
from federated_imputation.monolith.registry import operations as registry
from federated_imputation.monolith.registry.queries import standing_of

__all__ = ["look"]

LONGEST: Final = timedelta(seconds=15)


def look(
    job_ids: Sequence[UUID],
    *,
    clock: Callable[[], datetime] = timezone.now,
    connect: Connect = connect,
    jitter: Callable[[], float] = random.random,
) -> list[UUID]:
    """Look at those of the jobs of one service that are due for it and that nobody holds.

    Returns:
        The jobs that have another step to do at once.
    """
    rows = lease.claim_looks(job_ids, now=clock())
    if not rows:
        return []
    batch = _Batch(rows, clock=clock, connect=connect, jitter=jitter)
    try:
        batch.run()
    finally:
        batch.close()
    return batch.due_again


class _Batch:
    """The looks of one worker at one service."""

    def __init__(
        self,
        rows: Sequence[JobWork],
        *,
        clock: Callable[[], datetime],
        connect: Connect,
        jitter: Callable[[], float],
    ) -> None:
        self.due_again: list[UUID] = []
        self._left = {row.job_id: row for row in rows}
        self._quiet: list[Quiet] = []
        self._clock = clock
        self._connect = connect
        self._jitter = jitter
        self._tokens = accounts.reveal_tokens(
            jobs=[(row.job_id, row.job.service_id, row.job.user_id) for row in rows], now=clock()
        )
        self._standing = standing_of(rows[0].job.service_id)

    def run(self) -> None:
        end = self._clock() + LONGEST
        for row in list(self._left.values()):
            if self._clock() >= end:
                return
            # What fails in a way that nobody foresaw keeps its lease, as a step of its own does.
            del self._left[row.job_id]
            work = work_of(row)
            outcome = self._looked(row, work)
            if outcome.then is not None:
                # Due as it is, since the step that acts on it looks for itself.
                self._left[row.job_id] = row
                self.due_again.append(row.job_id)
                continue
            if not outcome.events and _is_quiet(work, outcome.work):
                self._keep(row, outcome)
            else:
                self._store(row, outcome)
            if outcome.work.failures:
                return

    def close(self) -> None:
        """Write down what was quiet and let go of what was not looked at."""
        lease.keep_quiet(self._quiet, now=self._clock())
        lease.give_back((job_id, row.fence) for job_id, row in self._left.items())

    def _looked(self, row: JobWork, work: Work) -> Outcome:
        calls = Calls(
            row.job,
            clock=self._clock,
            connect=self._connect,
            jitter=self._jitter,
            token=self._token,
            enter=self._enter,
        )
        try:
            external = calls.ask(lambda at: at.job(work.external_id))
        except ValueError as error:  # an id that this service never gave
            refused = Rejected(str(error), status=400)
            return self._failed(work, refused)
        except FederationError as error:
            return self._failed(work, error)
        outcome = decisions.looked(work, external)
        warning = decisions.token_warning(
            expires=calls.token_expires, warned_for=row.token_warned_for, now=self._clock()
        )
        if warning is None or outcome.work.status in FINAL:
            return outcome
        row.token_warned_for = calls.token_expires
        return replace(outcome, events=(warning, *outcome.events))

    def _failed(self, work: Work, error: FederationError) -> Outcome:
        return decisions.look_failed(work, error, now=self._clock(), jitter=self._jitter())

    def _token(self, job: ImputationJob, _now: datetime) -> str | None:
        told = self._tokens[job.pk]
        if isinstance(told, accounts.Undecryptable):
            raise told
        return told

    def _enter(self, service_id: int, *, now: datetime) -> registry.Pass:
        """Leave to call, read once for the batch while all is well."""
        if self._standing.failures:
            return registry.enter(service_id, now=now)
        return registry.Pass(service_id=service_id, is_probe=False, was_failing=False)

    def _keep(self, row: JobWork, outcome: Outcome) -> None:
        self._quiet.append(
            Quiet(
                job_id=row.job_id,
                fence=row.fence,
                quiet_polls=outcome.work.quiet_polls,
                next_poll_at=next_look(self._clock(), wait=outcome.wait),
            )
        )

    @transaction.atomic
    def _store(self, row: JobWork, outcome: Outcome) -> None:
        """Write news down, unless another worker has the job now."""
        now = self._clock()
        locked = lock(row.job_id, fence=row.fence)
        if locked is None:
            return
        locked.lost_steps, locked.lease_until = 0, None
        locked.token_warned_for = row.token_warned_for
        record(locked, outcome, now=now)


def _is_quiet(before: Work, after: Work) -> bool:
    """Whether nothing but the count of quiet looks differs."""
    return replace(after, quiet_polls=before.quiet_polls) == before
