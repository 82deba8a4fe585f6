"""The breaker's decisions, and that workers share them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.federation.protocol import HeldBack
from federated_imputation.monolith.registry import breaker, standing
from federated_imputation.monolith.registry.breaker import (
    CLOSED,
    OPENS_AFTER,
    Standing,
    answered,
    asked,
    unanswered,
)
from tests.factories import NOW, make_service

SECOND = timedelta(seconds=1)


def failed(times: int, before: Standing = CLOSED) -> Standing:
    for _ in range(times):
        before = unanswered(before, "No connection.", is_probe=before.is_open, now=NOW, jitter=0)
    return before


def test_breaker_opens_at_the_fifth_silence_in_a_row():
    assert not failed(OPENS_AFTER - 1).is_open
    assert failed(OPENS_AFTER).is_open
    assert failed(OPENS_AFTER).failing_since == NOW


def test_answer_closes_it_and_forgets_everything():
    assert answered() == CLOSED


def test_nobody_calls_before_the_next_try_and_one_alone_at_it():
    opened = failed(OPENS_AFTER)
    assert opened.next_try_at == NOW + 15 * SECOND
    assert asked(opened, now=NOW + 14 * SECOND) is None

    probing = asked(opened, now=NOW + 15 * SECOND)

    assert probing is not None
    assert asked(probing, now=NOW + 16 * SECOND) is None
    assert asked(probing, now=NOW + 15 * SECOND + breaker.PROBE_LASTS) is not None


def test_probe_that_fails_waits_twice_as_long():
    opened = failed(OPENS_AFTER)
    probing = asked(opened, now=NOW + 15 * SECOND)
    assert probing is not None

    again = unanswered(probing, "Still down.", is_probe=True, now=NOW, jitter=0)

    assert again.next_try_at == NOW + 30 * SECOND
    assert again.probe_until is None
    assert again.failing_since == NOW


def test_late_failure_of_a_call_that_began_before_changes_nothing():
    opened = failed(OPENS_AFTER)

    assert unanswered(opened, "Late.", is_probe=False, now=NOW, jitter=0) == opened


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ask", "answer", "silence"]),
            st.integers(0, 1000),
            st.floats(0, 1, exclude_max=True),
        ),
        max_size=60,
    )
)
def test_whatever_happens_an_open_breaker_lets_one_caller_through_in_time(steps):
    state, now, probes = CLOSED, NOW, 0
    for what, seconds, jitter in steps:
        now += seconds * SECOND
        match what:
            case "ask":
                after = asked(state, now=now)
                if state.is_open and after is not None:
                    assert state.probe_until is None or now >= state.probe_until
                    probes += 1
                state = state if after is None else after
            case "answer":
                state = answered()
            case "silence":
                is_probe = state.probe_until is not None
                state = unanswered(state, "Down.", is_probe=is_probe, now=now, jitter=jitter)
        assert (state.failures == 0) == (state.failing_since is None)
        assert state.is_open == (state.failures >= OPENS_AFTER)
        if state.next_try_at is not None:
            latest = max(now, state.next_try_at, state.probe_until or now)
            assert state.next_try_at <= now + timedelta(seconds=breaker.LONGEST_WAIT)
            assert asked(state, now=latest) is not None


@pytest.mark.django_db
def test_workers_share_the_breaker_and_a_probe():
    service = make_service()
    leave = standing.enter(service.pk, now=NOW)
    for _ in range(OPENS_AFTER):
        standing.note_silence(leave, "No connection to it.", now=NOW, jitter=0)

    with pytest.raises(HeldBack, match="does not answer since 2026-03-01 12:00 UTC") as caught:
        standing.enter(service.pk, now=NOW + SECOND)
    assert caught.value.next_try_at == NOW + 15 * SECOND

    later = NOW + 20 * SECOND
    probe = standing.enter(service.pk, now=later)
    assert probe.is_probe
    with pytest.raises(HeldBack):
        standing.enter(service.pk, now=later)

    standing.note_answer(probe)

    assert standing.standing_of(service.pk) == CLOSED
    assert not standing.enter(service.pk, now=later).is_probe


@pytest.mark.django_db
def test_answer_of_a_service_that_answers_writes_nothing(django_assert_num_queries):
    service = make_service()
    with django_assert_num_queries(1):
        standing.note_answer(standing.enter(service.pk, now=NOW))
