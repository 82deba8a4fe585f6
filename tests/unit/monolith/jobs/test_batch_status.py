"""What a batch is called, of which so many jobs stand in each state."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federated_imputation.monolith.jobs.plans.decisions import FINAL, BatchStatus, batch_status
from federated_imputation.monolith.jobs.states import FINAL as FINAL_OF_A_JOB
from federated_imputation.monolith.jobs.states import Status

# Of a busy machine nothing is said here.
_PATIENTLY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
COUNTS = st.dictionaries(st.sampled_from(Status), st.integers(0, 50))


@_PATIENTLY
@given(COUNTS)
def test_batch_is_over_exactly_when_all_jobs_are(counts):
    is_over = all(status in FINAL_OF_A_JOB for status, count in counts.items() if count)
    assert (batch_status(counts) in FINAL) == is_over


@_PATIENTLY
@given(COUNTS)
def test_batch_is_pending_exactly_while_no_job_began(counts):
    there = {status for status, count in counts.items() if count}
    assert (batch_status(counts) is BatchStatus.PENDING) == (there == {Status.PENDING})


@_PATIENTLY
@given(COUNTS)
def test_worst_end_of_a_job_is_the_end_of_the_batch(counts):
    there = {status for status, count in counts.items() if count}
    told = batch_status(counts)
    if told in FINAL:
        assert (told is BatchStatus.FAILED) == (Status.FAILED in there)
        assert (told is BatchStatus.COMPLETED) == (there <= {Status.COMPLETED})


@_PATIENTLY
@given(COUNTS, st.sampled_from(Status))
def test_state_that_no_job_is_in_says_nothing(counts, status):
    without = {key: count for key, count in counts.items() if key is not status}
    assert batch_status({**without, status: 0}) is batch_status(without)
