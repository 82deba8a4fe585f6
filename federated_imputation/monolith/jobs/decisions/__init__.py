"""What a worker does next with a job, and what follows from what it saw. Plain functions only.

A job's way through the worker has five phases. **submit**: it is certain that the service has
nothing under the attempt's tag. **submitting**: we meant to send it, and whether it arrived is
unknown until the service says so; the tag is searched there before anything is sent again.
**follow**: the service has it, and we ask how it stands. **fetch**: the service is done with it,
and we bring its files home, one at a time. **done**: nothing is left to do.

Every function takes the job as it stands (`Work`) and what was seen, and returns an `Outcome`:
the job as it stands then, the events to append, and when to come back. The worker
(`jobs.worker`) acts and stores; it decides nothing.
"""

from federated_imputation.monolith.jobs.decisions.fetching import (
    fetch_failed,
    fetched,
    finished,
    next_file,
    room_needed,
)
from federated_imputation.monolith.jobs.decisions.following import (
    cancel_asked,
    cancel_refused,
    look_failed,
    looked,
    restart_failed,
    restarted,
)
from federated_imputation.monolith.jobs.decisions.submitting import (
    intended,
    offer_changed,
    search_failed,
    searched,
    submission_failed,
    submitted,
)
from federated_imputation.monolith.jobs.decisions.work import (
    Action,
    AskCancel,
    Cancel,
    Event,
    Fetch,
    Look,
    Outcome,
    Phase,
    Prepare,
    Restart,
    Search,
    Send,
    Work,
    cancelled_unsent,
    next_action,
    stumbled,
    tag_of,
    token_warning,
    waits_for_a_place,
)

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
    "cancel_asked",
    "cancel_refused",
    "cancelled_unsent",
    "fetch_failed",
    "fetched",
    "finished",
    "intended",
    "look_failed",
    "looked",
    "next_action",
    "next_file",
    "offer_changed",
    "restart_failed",
    "restarted",
    "room_needed",
    "search_failed",
    "searched",
    "stumbled",
    "submission_failed",
    "submitted",
    "tag_of",
    "token_warning",
    "waits_for_a_place",
]
