"""How a parent stands: the rule over everything that its children can be."""

from itertools import combinations_with_replacement, permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federated_imputation.monolith.jobs.parents.standing import SETS_OF, derived, standing
from federated_imputation.monolith.jobs.states import FINAL, TRANSITIONS, Status

FAMILIES = [
    family for size in range(1, 5) for family in combinations_with_replacement(Status, size)
]
CHILDREN = st.lists(
    st.tuples(st.sampled_from(Status), st.integers(0, 100)), min_size=1, max_size=10
)
# A machine that is busy with something else is no fault of these.
_PATIENTLY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
ORDER = [Status.PENDING, Status.QUEUED, Status.RUNNING]


@pytest.mark.parametrize(
    ("children", "expected"),
    [
        ("completed completed", "completed"),
        ("completed failed", "failed"),
        ("completed cancelled", "cancelled"),
        ("failed cancelled", "failed"),
        ("cancelled cancelled", "cancelled"),
        ("running failed", "running"),
        ("queued completed", "running"),
        ("pending failed", "running"),
        ("pending queued", "queued"),
        ("pending pending", "pending"),
    ],
)
def test_status_follows_the_documented_rule(children, expected):
    assert derived([Status(word) for word in children.split()]) == expected


def test_order_and_number_of_the_children_make_no_difference():
    for family in FAMILIES:
        of_family = derived(family)
        assert {derived(order) for order in permutations(family)} == {of_family}
        assert derived([*family, *family]) is of_family


def test_family_of_equals_stands_as_each_of_them():
    for status in Status:
        assert derived([status] * 3) is status


def test_parent_is_over_exactly_when_all_children_are():
    for family in FAMILIES:
        assert (derived(family) in FINAL) is (set(family) <= FINAL)


def test_parent_is_completed_exactly_when_all_children_are():
    for family in FAMILIES:
        is_completed = derived(family) is Status.COMPLETED
        assert is_completed is (set(family) == {Status.COMPLETED})


def test_parent_never_goes_back_while_its_children_go_on():
    """A retry, and a service that restarts under a job, are the ways back that there are."""
    back = {(Status.RUNNING, Status.QUEUED), *((end, Status.PENDING) for end in FINAL)}
    for family in FAMILIES:
        before = derived(family)
        for place, child in enumerate(family):
            for following in TRANSITIONS[child]:
                if (child, following) in back:
                    continue
                after = derived([*family[:place], following, *family[place + 1 :]])
                if after not in FINAL:
                    assert before not in FINAL
                    assert ORDER.index(after) >= ORDER.index(before)


@_PATIENTLY
@given(CHILDREN)
def test_progress_is_a_mean_that_is_100_only_when_all_are_there(children):
    found = standing((status.value, progress) for status, progress in children)

    told = [progress for _, progress in children]
    assert min(told) <= found.progress <= max(told)
    assert (found.progress == 100) is (set(told) == {100})


@_PATIENTLY
@given(CHILDREN)
def test_counts_are_of_all_children(children):
    found = standing((status.value, progress) for status, progress in children)

    assert found.counts.keys() == set(Status)
    assert sum(found.counts.values()) == len(children)
    assert found.status is derived([status for status, _ in children])


def test_sets_for_the_query_are_the_rule_again():
    listed = [each for sets in SETS_OF.values() for each in sets]
    assert len(listed) == len(set(listed)) == 2 ** len(Status) - 1
    for status, sets in SETS_OF.items():
        assert {derived(each) for each in sets} == {status}
