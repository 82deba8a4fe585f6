from itertools import product

import pytest

from federated_imputation.monolith.jobs.states import (
    FINAL,
    RETRYABLE,
    TRANSITIONS,
    IllegalTransition,
    Status,
    move,
)

LEGAL = {
    ("pending", "queued"),
    ("pending", "failed"),
    ("pending", "cancelled"),
    ("queued", "running"),
    ("queued", "failed"),
    ("queued", "cancelled"),
    ("running", "queued"),
    ("running", "completed"),
    ("running", "failed"),
    ("running", "cancelled"),
    ("failed", "pending"),
    ("cancelled", "pending"),
    # what is not over may be repeated
    ("pending", "pending"),
    ("queued", "queued"),
    ("running", "running"),
}


@pytest.mark.parametrize(("before", "after"), list(product(Status, Status)))
def test_move_allows_what_the_story_tells_and_nothing_else(before: Status, after: Status):
    if (before, after) in LEGAL:
        assert move(before, after) is after
    else:
        with pytest.raises(IllegalTransition) as refused:
            move(before, after)
        assert (refused.value.before, refused.value.after) == (before, after)


def test_every_state_is_reached_from_pending():
    reached = {Status.PENDING}
    for _ in Status:
        reached |= {after for before in reached for after in TRANSITIONS[before]}

    assert reached == set(Status)


def test_only_a_person_leads_out_of_a_final_state():
    assert {before for before in FINAL if TRANSITIONS[before]} == RETRYABLE
    assert all(TRANSITIONS[before] == {Status.PENDING} for before in RETRYABLE)
