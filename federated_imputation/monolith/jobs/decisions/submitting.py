"""Submission, at most once for every attempt.

The intent is committed before the call, under a tag that the service keeps. Only an error that
proves that nothing was received (no connection, a refusal in the service's own words) leads back
to sending. After anything else, and after a crash, the service's own list is searched for the
tag: at once, then ever later, until either the job is found or the service has answered for so
long (`grace`) without it that it cannot have it. The user sees that it is uncertain, and never
two jobs.

Why minutes are enough. A service makes a job only of a whole body. A worker that dies takes its
connection with it, and one that loses its lease stops sending, so a body that is not whole then
never will be; what the system still holds of it is delivered or dropped within about a minute.
What is left is a service that has the whole body and is still storing it, which takes the longer
the larger it is. A service too busy to store is too busy to answer, and a search that fails
begins the grace anew.

What this cannot see: a worker that is frozen between its last look at its lease and the last
block of a body of which the rest is sent already, for longer than the lease and the grace.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from apps.federation.protocol import (
    Busy,
    ExternalJob,
    FederationError,
    HeldBack,
    Malformed,
    NotAuthenticated,
    Rejected,
    Submission,
    Unreachable,
)
from federated_imputation.monolith.jobs.decisions.work import (
    Event,
    Outcome,
    Phase,
    Send,
    Work,
    backed_off,
    ended,
    failed,
    failing_for,
)
from federated_imputation.monolith.jobs.pace import search_seconds
from federated_imputation.monolith.jobs.states import Status

__all__ = [
    "grace",
    "intended",
    "offer_changed",
    "search_failed",
    "searched",
    "submission_failed",
    "submitted",
]

LEAST_GRACE: Final = timedelta(minutes=2)
# A service that copies uploads to a slow object store, in bytes a second.
SLOWEST_STORE: Final = 8 * 2**20
UNREACHABLE_FOR: Final = timedelta(hours=24)
UNANSWERED_FOR: Final = timedelta(days=7)


def grace(size: int) -> timedelta:
    """The longest that a service that answers may not show a job of which it has all `size` bytes.

    Two minutes for a small study, some twelve for the largest that services take (5 GB).
    """
    return LEAST_GRACE + timedelta(seconds=size / SLOWEST_STORE)


def intended(work: Work, submission: Submission, *, in_place_of: str = "") -> Outcome:
    """We are about to send it: stored before the first byte leaves.

    `in_place_of` is the panel that was asked for, when the service has another version of it now.
    """
    replaced = Event(
        message=f"The service no longer offers the panel {in_place_of}, but {submission.panel}: "
        "the job is sent with that version. Cancel it if you need the earlier one.",
        facts={"asked_for": in_place_of, "panel": submission.panel},
    )
    event = Event(
        message=f"Sending the file to the service as {submission.tag}.",
        facts={
            "attempt": work.attempt,
            "tag": submission.tag,
            "panel": submission.panel,
            "build": submission.build,
            "phasing": submission.phasing,
            "population": submission.population,
        },
    )
    work = work.moved(Status.QUEUED, phase=Phase.SUBMITTING, uncertain_since=None, searches=0)
    events = (replaced, event) if in_place_of else (event,)
    return Outcome(work=work, events=events, then=Send(submission))


def submitted(work: Work, external_id: str) -> Outcome:
    """The service took it and called it `external_id`."""
    work = work.at_ease(phase=Phase.FOLLOW, external_id=external_id, uncertain_since=None)
    event = Event(
        message=f"The service accepted the job as {external_id}.",
        facts={"attempt": work.attempt, "external_id": external_id},
    )
    return Outcome(work=work, events=(event,), wait=1.0)


def submission_failed(
    work: Work, error: FederationError, *, now: datetime, jitter: float
) -> Outcome:
    """The call for what is offered, or the submission itself, ended in `error`."""
    if isinstance(error, Rejected):
        return failed(work, f"The service refused it: {error}", facts={"status": error.status})
    if isinstance(error, Malformed) and work.phase is Phase.SUBMITTING:
        return failed(work, f"The service did not accept it, in words of no API: {error}")
    if work.phase is Phase.SUBMITTING and not isinstance(error, Busy | Unreachable):
        return _uncertain(work, str(error), now=now)
    not_sent = work.moved(Status.QUEUED, phase=Phase.SUBMIT)
    if isinstance(error, Busy):
        # A busy service answers, and may be busy with this user's other jobs: no bound.
        words = f"The service does not take it now: {error}"
    elif failing_for(work, now) >= UNREACHABLE_FOR:
        return failed(work, f"The service did not answer for a day: {error}")
    elif isinstance(error, HeldBack):
        words = f"Nothing was sent. {error}"
    else:
        words = f"Nothing was sent, the service does not answer: {error}"
    return backed_off(not_sent, words, error, now=now, jitter=jitter)


def offer_changed(work: Work, error: FederationError, *, now: datetime, jitter: float) -> Outcome:
    """The service refused what it no longer offers: the panel is looked for again."""
    words = f"The service refused it ({error}) and has changed what it offers; asking again."
    again = work.moved(Status.QUEUED, phase=Phase.SUBMIT)
    return backed_off(again, words, error, now=now, jitter=jitter)


def searched(work: Work, found: ExternalJob | None, *, size: int, now: datetime) -> Outcome:
    """The service's list was searched for the tag of this attempt, an upload of `size` bytes."""
    if found is not None:
        arrived = submitted(work, found.id)
        event = Event(
            message=f"Found at the service as {found.id}: it had arrived. It is not sent again.",
            facts={"attempt": work.attempt, "external_id": found.id},
        )
        return replace(arrived, events=(event,), wait=0.0)
    if not work.searches:
        return _uncertain(work, "the worker stopped while it was sending", now=now)
    since = work.uncertain_since or now
    if now - since < grace(size):
        again = replace(work, uncertain_since=since, searches=work.searches + 1)
        return Outcome(work=again, wait=search_seconds(again.searches))
    if work.cancel_requested:
        return ended(work, Status.CANCELLED, "Cancelled: the service never received it.")
    if failing_for(work, now) >= UNREACHABLE_FOR:
        return failed(work, "For a day, nothing that was sent arrived at the service.")
    event = Event(
        message="The service does not have it, and no upload can still be under way. "
        "It will be sent again.",
        facts={"attempt": work.attempt, "searches": work.searches + 1},
    )
    work = replace(work, phase=Phase.SUBMIT, uncertain_since=None, searches=0)
    return Outcome(work=work, events=(event,))


def search_failed(work: Work, error: FederationError, *, now: datetime, jitter: float) -> Outcome:
    """Nobody knows yet; what is not known is not sent again, and the grace begins anew."""
    if failing_for(work, now) >= UNANSWERED_FOR:
        reason = f"Whether the service received the job could not be found out: {error}"
        return failed(work, reason, facts={"uncertain": True})
    words = f"Whether the service received it is not known yet: {error}"
    if isinstance(error, NotAuthenticated):
        words += " A valid token is needed to find out."
    return backed_off(
        replace(work, uncertain_since=None, searches=1),
        words,
        error,
        now=now,
        jitter=jitter,
        facts={"uncertain": True},
    )


def _uncertain(work: Work, why: str, *, now: datetime) -> Outcome:
    event = Event(
        message=f"It is uncertain whether the service received the job ({why}). "
        "Looking for it there before anything is sent again.",
        facts={"attempt": work.attempt, "uncertain": True},
    )
    work = replace(
        work,
        uncertain_since=now,
        searches=work.searches + 1,
        failures=work.failures + 1,
        failing_since=work.failing_since or now,
        last_error=why,
    )
    return Outcome(work=work, events=(event,), wait=search_seconds(0))
