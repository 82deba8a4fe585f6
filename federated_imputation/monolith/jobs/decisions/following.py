"""Following a job that the service has: state, progress and messages are what it says."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from apps.federation.protocol import (
    Busy,
    ExternalJob,
    ExternalState,
    FederationError,
    Forbidden,
    HeldBack,
    MessageKind,
    NotAuthenticated,
    NotFound,
    Rejected,
    Unreachable,
)
from federated_imputation.monolith.jobs.decisions.work import (
    Event,
    Fetch,
    Outcome,
    Phase,
    Restart,
    Work,
    backed_off,
    ended,
    failed,
    failing_for,
)
from federated_imputation.monolith.jobs.pace import poll_seconds
from federated_imputation.monolith.jobs.states import Status

__all__ = [
    "cancel_asked",
    "cancel_refused",
    "look_failed",
    "looked",
    "restart_failed",
    "restarted",
]

MOST_RESTARTS: Final = 2
# Services keep results for about this long, so there is nothing left to follow after it.
UNANSWERED_FOR: Final = timedelta(days=7)
# A service that comes back from maintenance may not know its jobs at first.
UNKNOWN_FOR: Final = timedelta(minutes=10)
# The last per cent is the files': 100 means that they are here.
MOST_PROGRESS_UNFETCHED: Final = 99


def looked(work: Work, external: ExternalJob) -> Outcome:
    """The service said how the job stands; new messages become events."""
    response = _shown(external)
    said = _said(work, external)
    standing = _standing(work, external) if _place(response) != _place(work.response) else []
    # A state begins before its messages and ends after them.
    told = [*said, *standing] if external.state.is_final else [*standing, *said]
    events = [*_recovered(work), *told]
    # While files are fetched, the row of failures is theirs.
    calm = replace(
        work if work.phase is Phase.FETCH else work.at_ease(),
        response=response,
        progress=max(work.progress, min(external.progress, MOST_PROGRESS_UNFETCHED)),
        quiet_polls=0 if events else work.quiet_polls + 1,
    )
    outcome = _followed(calm, external)
    return replace(outcome, events=(*events, *outcome.events))


def cancel_asked(work: Work, external: ExternalJob, *, now: datetime) -> Outcome:
    """The service was asked to cancel and said how the job stands; only its word counts."""
    outcome = looked(replace(work, cancel_asked_at=now), external)
    if work.cancel_asked_at is not None:
        return outcome
    event = Event(message="The service was asked to cancel the job.")
    return replace(outcome, events=(event, *outcome.events))


def restarted(work: Work) -> Outcome:
    """The service takes the dead job up again."""
    return Outcome(work=work.at_ease(), wait=poll_seconds(0))


def look_failed(work: Work, error: FederationError, *, now: datetime, jitter: float) -> Outcome:
    """The service did not say how the job stands; a job that may be running is not failed."""
    unanswered = failing_for(work, now)
    if isinstance(error, NotFound) and unanswered >= UNKNOWN_FOR:
        return failed(work, f"The service no longer knows the job: {error}")
    if unanswered >= UNANSWERED_FOR:
        return failed(work, f"The job could not be followed for seven days: {error}")
    match error:
        case NotAuthenticated() | Forbidden():
            words = (
                f"The service does not accept the token, the job may be running on: {error} "
                "A valid token is needed: retry the job with one. It waits seven days for it, "
                "about as long as services keep results."
            )
        case HeldBack():
            words = str(error)
        case Busy():
            words = f"The service is busy, the job may be running on: {error}"
        case _:
            words = f"The service does not say how the job stands: {error}"
    return backed_off(
        work,
        words,
        error,
        now=now,
        jitter=jitter,
    )


def restart_failed(work: Work, error: FederationError, *, now: datetime, jitter: float) -> Outcome:
    """The service was asked to take a dead job up again and did not say yes.

    The try counts, since it may have arrived; only one that certainly did not is given back.
    """
    if isinstance(error, Unreachable | Busy):
        work = replace(work, restarts=work.restarts - 1)
    return look_failed(work, error, now=now, jitter=jitter)


def cancel_refused(work: Work, error: FederationError, *, now: datetime, jitter: float) -> Outcome:
    """The service was asked to cancel and did not."""
    if isinstance(error, Rejected) and not isinstance(error, NotAuthenticated | Forbidden):
        event = Event(message=f"The service does not cancel it: {error}")
        return Outcome(
            work=work.at_ease(cancel_asked_at=now), events=(event,), wait=poll_seconds(0)
        )
    return look_failed(work, error, now=now, jitter=jitter)


def _followed(work: Work, external: ExternalJob) -> Outcome:
    match external.state:
        case ExternalState.WAITING:
            return Outcome(work=work.moved(Status.QUEUED), wait=poll_seconds(work.quiet_polls))
        case ExternalState.RUNNING | ExternalState.EXPORTING:
            running = work.moved(Status.RUNNING, phase=Phase.FOLLOW)
            return Outcome(work=running, wait=poll_seconds(work.quiet_polls))
        case ExternalState.SUCCEEDED:
            done = work.moved(Status.RUNNING, phase=Phase.FETCH)
            return Outcome(work=done, then=Fetch(external))
        case ExternalState.FAILED:
            reason = _errors(external) or "The service failed the job and gave no reason."
            over = work.moved(Status.RUNNING, phase=Phase.FETCH, failure=reason)
            return Outcome(work=over, then=Fetch(external))
        case ExternalState.CANCELLED if work.cancel_requested:
            return ended(work, Status.CANCELLED, "The service cancelled the job, as asked.")
        case ExternalState.CANCELLED:
            words = "The job was cancelled at the service, not from here."
            return ended(work, Status.CANCELLED, words)
        case ExternalState.RETIRED | ExternalState.DELETED:
            gone = (
                f"The service has {external.state.value} the job and its files are gone; services "
                "keep results for some days only. Retry the job to have it computed again."
            )
            return failed(work, work.failure or gone)
        case ExternalState.DEAD:
            return _died(work)


def _died(work: Work) -> Outcome:
    if work.cancel_requested:
        words = "The service lost the job when it restarted; as asked, it is not taken up again."
        return ended(work, Status.CANCELLED, words)
    if work.restarts >= MOST_RESTARTS:
        words = f"The service lost the job again after {MOST_RESTARTS} restarts."
        return failed(work, words, facts={"restarts": work.restarts})
    restarts = work.restarts + 1
    event = Event(
        message="The service restarted and lost hold of the job; asking it to take it up again "
        f"({restarts} of at most {MOST_RESTARTS}).",
        facts={"restarts": restarts, "external_id": work.external_id},
    )
    # Counted before the call: a crash in between may waste a try, never add one.
    work = work.moved(Status.QUEUED, phase=Phase.FOLLOW, restarts=restarts)
    return Outcome(work=work, events=(event,), wait=poll_seconds(0), then=Restart())


def _shown(external: ExternalJob) -> dict[str, Any]:
    """What the user may see of the service's answer: everything but what opens a file."""
    return {
        "id": external.id,
        "name": external.name,
        "state": external.state.value,
        "queue_position": external.queue_position,
        "progress": external.progress,
        "steps": [
            {
                "name": step.name,
                "messages": [
                    {
                        "kind": message.kind.value,
                        "text": message.text,
                        "at": message.at.isoformat() if message.at else None,
                    }
                    for message in step.messages
                ],
            }
            for step in external.steps
        ],
        "files": [
            {
                "name": file.name,
                "output": file.output,
                "size": file.size_text,
                "downloads_left": file.downloads_left,
            }
            for file in external.files
        ],
    }


def _place(response: Mapping[str, Any]) -> tuple[object, object]:
    return response.get("state"), response.get("queue_position")


def _recovered(work: Work) -> list[Event]:
    if not work.failures or work.phase is Phase.FETCH:
        return []
    return [Event(message="The service answers again.")]


def _said(work: Work, external: ExternalJob) -> list[Event]:
    """One event for every message that the last answer did not hold."""
    known = {
        (step["name"], message["kind"], message["text"])
        for step in work.response.get("steps", ())
        # Answers that the legacy system stored have steps of another shape.
        for message in step.get("messages", ())
    }
    events = []
    for step in external.steps:
        for message in step.messages:
            if (step.name, message.kind.value, message.text) in known:
                continue
            facts = {"step": step.name, "kind": message.kind.value}
            if message.at:
                facts["at"] = message.at.isoformat()
            events.append(Event(message=f"{step.name}: {message.text}", facts=facts))
    return events


def _standing(work: Work, external: ExternalJob) -> list[Event]:
    """One event that says where the job stands now, unless its end will say it."""
    facts: dict[str, Any] = {"state": external.state.value, "external_id": external.id}
    match external.state:
        case ExternalState.WAITING:
            words = "Waiting in the service's queue."
            if external.queue_position is not None:
                facts["queue_position"] = external.queue_position
                words = (
                    f"Waiting in the service's queue behind {external.queue_position} jobs."
                    if external.queue_position
                    else "Next in the service's queue."
                )
        case ExternalState.RUNNING:
            words = "The service runs the job."
        case ExternalState.EXPORTING:
            words = "The service has computed the job and prepares its files."
        case ExternalState.SUCCEEDED:
            words = f"The service finished the job. Fetching {len(external.files)} files."
            if work.cancel_requested:
                words = f"It was finished before it could be cancelled. {words}"
        case ExternalState.FAILED:
            words = (
                f"The service failed the job. Fetching {len(external.files)} files that it left."
            )
        case _:
            return []
    return [Event(message=words, facts=facts)]


def _errors(external: ExternalJob) -> str:
    return "\n".join(
        message.text
        for step in external.steps
        for message in step.messages
        if message.kind is MessageKind.ERROR
    )
