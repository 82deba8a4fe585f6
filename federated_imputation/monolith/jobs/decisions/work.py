"""A job as a worker sees it, and the shape of every decision about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from apps.federation.protocol import Busy, ExternalJob, FederationError, HeldBack, Submission
from federated_imputation.monolith.jobs.pace import back_off_seconds
from federated_imputation.monolith.jobs.states import FINAL, Status, move

__all__ = [
    "Action",
    "AskCancel",
    "Cancel",
    "Event",
    "Fetch",
    "Look",
    "Outcome",
    "Phase",
    "Prepare",
    "Restart",
    "Search",
    "Send",
    "Work",
    "cancelled_unsent",
    "next_action",
    "stumbled",
    "tag_of",
    "token_warning",
    "waits_for_a_place",
]

# A service that was asked to cancel and still runs is asked again after this time.
ASK_AGAIN_AFTER: Final = timedelta(seconds=60)
# Jobs run for days at most.
WARN_OF_TOKEN: Final = timedelta(days=3)
# Jobs that were held back do not come back all at once.
LEAST_HOLD: Final = 1.0
HELD_BACK_SPREAD: Final = 20.0
# A worker may be killed once or twice; a step that is lost more often is a fault of ours.
LOST_STEPS_FORGIVEN: Final = 2

_NO_FACTS: Final[Mapping[str, Any]] = MappingProxyType({})


class Phase(StrEnum):
    SUBMIT = "submit"
    SUBMITTING = "submitting"
    FOLLOW = "follow"
    FETCH = "fetch"
    DONE = "done"


class Action:
    """What a worker can do: one outgoing call, or for `Cancel` none."""


@dataclass(frozen=True)
class Cancel(Action):
    """End it here; the service has nothing."""


@dataclass(frozen=True)
class Prepare(Action):
    """Ask what the service offers and write the intent down."""


@dataclass(frozen=True)
class Send(Action):
    """Submit, once the intent is committed."""

    submission: Submission


@dataclass(frozen=True)
class Search(Action):
    """Search the service's list for the tag."""


@dataclass(frozen=True)
class AskCancel(Action):
    """Ask the service to cancel."""


@dataclass(frozen=True)
class Look(Action):
    """Ask how the job stands."""


@dataclass(frozen=True)
class Restart(Action):
    """Ask the service to take a dead job up again."""


@dataclass(frozen=True)
class Fetch(Action):
    """Fetch the next file of a job that stands so."""

    external: ExternalJob


@dataclass(frozen=True, kw_only=True)
class Work:
    """What is known of a job; mirrored by the columns of the job's row and of its work row.

    Attributes:
        attempt: 1 for the first, one more for each retry; part of the tag.
        response: The service's last answer without secrets, as shown to the user.
        failure: Why the job fails once its files are here; '' while it does not.
        failures: Failed calls in a row since `failing_since`; `last_error` is the last one's text.
        uncertain_since: Since when nobody knows whether the submission arrived, while the service
            answers; `None` again after a search that failed.
        searches: How often it was searched for since; 0 before the first time.
        restarts: How often the service was asked to take the job up again.
        quiet_polls: Looks in a row that brought nothing new.
        cuts: Failed downloads in a row of the file that is fetched now.
        skipped: Files of a failed job that could not be had.
        cancel_requested: Whether the owner wants it to stop; `cancel_asked_at`: when the service
            was told.
    """

    phase: Phase = Phase.SUBMIT
    status: Status = Status.PENDING
    progress: int = 0
    attempt: int = 1
    external_id: str = ""
    response: Mapping[str, Any] = field(default_factory=dict)
    failure: str = ""
    failures: int = 0
    failing_since: datetime | None = None
    last_error: str = ""
    uncertain_since: datetime | None = None
    searches: int = 0
    restarts: int = 0
    quiet_polls: int = 0
    cuts: int = 0
    skipped: tuple[str, ...] = ()
    cancel_requested: bool = False
    cancel_asked_at: datetime | None = None

    def moved(self, status: Status, **changes: Any) -> "Work":
        """This work under `status` and with `changes`; a final status ends it.

        Raises:
            IllegalTransition: The table of states forbids it.
        """
        ending = {"phase": Phase.DONE} if status in FINAL else {}
        return replace(self, status=move(self.status, status), **{**changes, **ending})

    def at_ease(self, **changes: Any) -> "Work":
        """This work after a call that succeeded: the row of failures is over."""
        calm = {"failures": 0, "failing_since": None, "last_error": ""}
        return replace(self, **{**calm, **changes})


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened, in words for the user and as facts; neither holds a secret."""

    message: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What follows from a step.

    Attributes:
        work: The job as it stands now.
        events: What to append to its history, in order.
        wait: Seconds until the next step.
        then: An action to do at once after storing this, in the same step.
    """

    work: Work
    events: tuple[Event, ...] = ()
    wait: float = 0.0
    then: Action | None = None


def tag_of(job_id: UUID, attempt: int) -> str:
    """The name of one attempt at the service: `fip-<uuid>`, from the second on `fip-<uuid>-r2`.

    Each attempt has its own, so that a search finds the submission of this attempt and never the
    failed job of an earlier one.
    """
    return f"fip-{job_id}" if attempt == 1 else f"fip-{job_id}-r{attempt}"


def next_action(work: Work, *, now: datetime) -> Action | None:
    """What to do first with a job that a worker has taken up; `None` when nothing is left."""
    match work.phase:
        case Phase.SUBMIT:
            return Cancel() if work.cancel_requested else Prepare()
        case Phase.SUBMITTING:
            return Search()
        case Phase.FOLLOW:
            asked = work.cancel_asked_at
            due = asked is None or now - asked >= ASK_AGAIN_AFTER
            return AskCancel() if work.cancel_requested and due else Look()
        case Phase.FETCH:
            return Look()
        case Phase.DONE:
            return None


def ended(
    work: Work,
    status: Status,
    message: str,
    *,
    failure: str = "",
    facts: Mapping[str, Any] = _NO_FACTS,
) -> Outcome:
    """The end of the job: `message` is its last event, `failure` what the row says of it."""
    event = Event(message=message, facts=facts)
    return Outcome(work=work.moved(status, failure=failure), events=(event,))


def cancelled_unsent(work: Work) -> Outcome:
    """The end of a job of which the service certainly has nothing."""
    return ended(work, Status.CANCELLED, "Cancelled: nothing was sent to the service.")


def failed(work: Work, reason: str, *, facts: Mapping[str, Any] = _NO_FACTS) -> Outcome:
    """The end of a job that cannot succeed any more."""
    return ended(work, Status.FAILED, reason, failure=reason, facts=facts)


def backed_off(
    work: Work,
    words: str,
    error: FederationError,
    *,
    now: datetime,
    jitter: float,
    told: bool = False,
    facts: Mapping[str, Any] = _NO_FACTS,
) -> Outcome:
    """One more failure in a row; it is an event when it is `told` or says something new.

    A job that was held back comes back when its service is tried again, within some seconds.
    """
    failures = work.failures + 1
    shown = words
    if isinstance(error, HeldBack):
        until_then = max(0.0, (error.next_try_at - now).total_seconds())
        wait = until_then + LEAST_HOLD + jitter * HELD_BACK_SPREAD
        shown = f"{words} Next try at {error.next_try_at:%H:%M:%S} UTC."
        facts = {**facts, "next_try_at": error.next_try_at.isoformat()}
    else:
        retry_after = error.retry_after if isinstance(error, Busy) else None
        wait = back_off_seconds(failures, jitter=jitter, retry_after=retry_after)
    event = Event(message=shown, facts={**facts, "tries": failures})
    return Outcome(
        work=replace(
            work,
            failures=failures,
            failing_since=work.failing_since or now,
            last_error=words,
        ),
        events=(event,) if told or words != work.last_error else (),
        wait=wait,
    )


def stumbled(work: Work, *, lost_steps: int, now: datetime, jitter: float) -> Outcome | None:
    """The step before began and was never written down, `lost_steps` times in a row.

    `None` means that it may be tried at once, as after a worker that was killed.
    """
    if lost_steps <= LOST_STEPS_FORGIVEN:
        return None
    wait = back_off_seconds(lost_steps, jitter=jitter)
    event = Event(
        message=f"The platform could not finish the next step of this job {lost_steps} times in a "
        "row. The fault is on our side and nothing is lost; it is tried again, ever more rarely. "
        f"Next try at {now + timedelta(seconds=wait):%H:%M:%S} UTC.",
        facts={"lost_steps": lost_steps},
    )
    is_news = lost_steps == LOST_STEPS_FORGIVEN + 1
    return Outcome(work=work, events=(event,) if is_news else (), wait=wait)


def token_warning(
    *, expires: datetime | None, warned_for: datetime | None, now: datetime
) -> Event | None:
    """That the token will expire soon, told once for each token.

    Only a warning, from the token's own words and our clock: the service decides what it accepts.
    """
    if expires is None or expires == warned_for or expires - now > WARN_OF_TOKEN:
        return None
    return Event(
        message="Your token for this service says that it expires on "
        f"{expires:%Y-%m-%d %H:%M} UTC. "
        "If the service refuses it before the job is done, the job waits until it is retried with "
        "a new token.",
        facts={"token_expires_at": expires.isoformat()},
    )


def waits_for_a_place(work: Work, *, wait: float, is_first: bool) -> Outcome:
    """All places for transfers with the service are taken; `is_first` when it was not told yet."""
    event = Event(
        message="Waiting: other jobs are sending to this service or fetching from it. "
        "Users take turns.",
    )
    return Outcome(work=work, events=(event,) if is_first else (), wait=wait)


def failing_for(work: Work, now: datetime) -> timedelta:
    """How long calls have failed without one success; zero when the last one succeeded."""
    return now - work.failing_since if work.failing_since else timedelta()
