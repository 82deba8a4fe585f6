"""What follows from each answer and each error, without a database or a service."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.federation.protocol import (
    Busy,
    Discovery,
    Download,
    DownloadCut,
    DownloadFailed,
    DownloadsExhausted,
    ExternalFile,
    ExternalJob,
    ExternalState,
    FederationError,
    InputFile,
    Malformed,
    Message,
    MessageKind,
    NotAuthenticated,
    NotFound,
    OfferedPanel,
    Rejected,
    Step,
    Uncertain,
    Unreachable,
)
from federated_imputation.monolith.jobs import decisions
from federated_imputation.monolith.jobs.decisions import Outcome, Phase, Work
from federated_imputation.monolith.jobs.models import ImputationJob, JobWork
from federated_imputation.monolith.jobs.pace import (
    back_off_seconds,
    next_look,
    poll_seconds,
    search_seconds,
)
from federated_imputation.monolith.jobs.states import FINAL, Status
from federated_imputation.monolith.jobs.submission import Wish, choose, new_password
from tests.factories import NOW

JOB_ID = UUID("5a1b7c9e-0000-4000-8000-000000000001")
NEW = Work()
SUBMITTING = Work(phase=Phase.SUBMITTING, status=Status.QUEUED)
FOLLOWING = Work(phase=Phase.FOLLOW, status=Status.RUNNING, external_id="job-1")
FETCHING = replace(FOLLOWING, phase=Phase.FETCH)
ZIP = ExternalFile(name="chr_20.zip", locator="secret", downloads_left=10)
REPORT = ExternalFile(name="qc_report.txt", locator="secret", downloads_left=10)
OFFER = Discovery(
    application="imputationserver2",
    version="2.0.12",
    panels=(
        OfferedPanel(key="apps@afr@1.0.0", name="AFR", populations=("afr", "off")),
        OfferedPanel(key="apps@afr@1.1.0", name="AFR", populations=("afr", "eur")),
    ),
    phasings=("eagle", "beagle", "no_phasing"),
    builds=("hg19", "hg38"),
    modes=("imputation",),
)
WISH = Wish(panel="apps@afr@1.0.0", build="hg38", phasing=True, population="")


def external(state: ExternalState, **fields: object) -> ExternalJob:
    values = {"id": "job-1", "name": "fip-1", "files": (ZIP, REPORT), "progress": 50, **fields}
    return ExternalJob(state=state, **values)  # type: ignore[arg-type]


def failing_since(work: Work, ago: timedelta) -> Work:
    return replace(work, failures=7, failing_since=NOW - ago, last_error="earlier")


def decide(function: Callable[..., Outcome], work: Work, error: FederationError) -> Outcome:
    return function(work, error, now=NOW, jitter=0.5)


def test_words_of_the_rows_are_those_of_the_decisions():
    assert set(ImputationJob.Status.values) == {status.value for status in Status}
    assert set(JobWork.Phase.values) == {phase.value for phase in Phase}


def test_tag_names_the_job_and_the_attempt():
    assert decisions.tag_of(JOB_ID, 1) == f"fip-{JOB_ID}"
    assert decisions.tag_of(JOB_ID, 2) == f"fip-{JOB_ID}-r2"


@pytest.mark.parametrize(
    ("work", "action"),
    [
        (NEW, decisions.Prepare()),
        (replace(NEW, cancel_requested=True), decisions.Cancel()),
        (SUBMITTING, decisions.Search()),
        (replace(SUBMITTING, cancel_requested=True), decisions.Search()),
        (FOLLOWING, decisions.Look()),
        (replace(FOLLOWING, cancel_requested=True), decisions.AskCancel()),
        (
            replace(FOLLOWING, cancel_requested=True, cancel_asked_at=NOW - timedelta(seconds=5)),
            decisions.Look(),
        ),
        (
            replace(FOLLOWING, cancel_requested=True, cancel_asked_at=NOW - timedelta(minutes=1)),
            decisions.AskCancel(),
        ),
        (FETCHING, decisions.Look()),
        (replace(FOLLOWING, phase=Phase.DONE), None),
    ],
)
def test_first_action_follows_from_the_phase(work: Work, action: decisions.Action | None):
    assert decisions.next_action(work, now=NOW) == action


@pytest.mark.parametrize("error", [Uncertain("cut"), DownloadFailed("odd", counted=False)])
def test_submission_that_may_have_arrived_is_searched_for(error: FederationError):
    outcome = decide(decisions.submission_failed, SUBMITTING, error)

    assert outcome.work.phase is Phase.SUBMITTING
    assert outcome.work.uncertain_since == NOW
    assert outcome.then is None


@pytest.mark.parametrize("error", [Unreachable("no route"), Busy("full")])
def test_submission_that_certainly_did_not_arrive_may_be_sent_again(error: FederationError):
    outcome = decide(decisions.submission_failed, SUBMITTING, error)

    assert outcome.work.phase is Phase.SUBMIT
    assert outcome.work.status is Status.QUEUED
    assert outcome.wait > 0


@pytest.mark.parametrize(
    "error", [Rejected("no", status=400), NotAuthenticated("no", status=401), Malformed("<html>")]
)
def test_submission_that_was_refused_fails_the_job(error: FederationError):
    outcome = decide(decisions.submission_failed, SUBMITTING, error)

    assert outcome.work.status is Status.FAILED
    assert str(error) in outcome.work.failure


@pytest.mark.parametrize("error", [Unreachable("x"), Uncertain("x"), Malformed("x"), Busy("x")])
def test_failed_question_before_the_submission_sends_nothing_and_is_asked_again(
    error: FederationError,
):
    outcome = decide(decisions.submission_failed, NEW, error)

    assert outcome.work.phase is Phase.SUBMIT
    assert outcome.work.status is Status.QUEUED


def test_service_that_is_unreachable_for_a_day_fails_the_job():
    before = failing_since(NEW, timedelta(hours=23, minutes=59))
    after = failing_since(NEW, timedelta(hours=24))

    assert decide(decisions.submission_failed, before, Unreachable("x")).work.status == "queued"
    assert decide(decisions.submission_failed, after, Unreachable("x")).work.status == "failed"


def test_busy_service_is_waited_for_without_a_bound():
    patient = failing_since(NEW, timedelta(days=30))

    assert decide(decisions.submission_failed, patient, Busy("full")).work.status == "queued"


def test_search_decides_only_after_the_grace():
    uncertain = replace(SUBMITTING, uncertain_since=NOW, searches=1)
    in_time = NOW + timedelta(minutes=1, seconds=59)
    late = NOW + timedelta(minutes=2)

    assert decisions.searched(uncertain, None, size=0, now=in_time).work.phase is Phase.SUBMITTING
    assert decisions.searched(uncertain, None, size=0, now=late).work.phase is Phase.SUBMIT


def test_grace_begins_with_the_first_search_after_a_crash():
    outcome = decisions.searched(SUBMITTING, None, size=0, now=NOW)

    assert outcome.work.uncertain_since == NOW
    assert "uncertain" in outcome.events[0].message


def test_cancelled_submission_that_never_arrived_is_cancelled_after_the_grace():
    wanted_gone = replace(SUBMITTING, uncertain_since=NOW, searches=1, cancel_requested=True)

    outcome = decisions.searched(wanted_gone, None, size=0, now=NOW + timedelta(minutes=2))

    assert outcome.work.status is Status.CANCELLED


def test_submissions_that_never_arrive_end_after_a_day():
    hopeless = failing_since(
        replace(SUBMITTING, uncertain_since=NOW - timedelta(minutes=2), searches=9),
        timedelta(days=1),
    )

    outcome = decisions.searched(hopeless, None, size=0, now=NOW)

    assert outcome.work.status is Status.FAILED


def test_failed_search_never_leads_to_a_second_submission():
    for ago in (timedelta(0), timedelta(days=6)):
        work = failing_since(replace(SUBMITTING, uncertain_since=NOW - ago), ago)
        for error in (Unreachable("x"), NotAuthenticated("x", status=401), Malformed("x")):
            assert decide(decisions.search_failed, work, error).work.phase is Phase.SUBMITTING

    lost = failing_since(SUBMITTING, timedelta(days=7))
    assert decide(decisions.search_failed, lost, Unreachable("x")).work.status is Status.FAILED


def test_unanswered_looks_fail_a_job_only_after_seven_days():
    for error in (Unreachable("x"), NotAuthenticated("x", status=401), Busy("x")):
        early = failing_since(FOLLOWING, timedelta(days=6, hours=23))
        late = failing_since(FOLLOWING, timedelta(days=7))
        assert decide(decisions.look_failed, early, error).work.status is Status.RUNNING
        assert decide(decisions.look_failed, late, error).work.status is Status.FAILED


def test_same_failure_is_told_once():
    first = decide(decisions.look_failed, FOLLOWING, Unreachable("no route"))
    second = decide(decisions.look_failed, first.work, Unreachable("no route"))
    third = decide(decisions.look_failed, second.work, Unreachable("refused"))

    assert [len(outcome.events) for outcome in (first, second, third)] == [1, 0, 1]


@pytest.mark.parametrize(
    ("state", "status", "phase"),
    [
        (ExternalState.WAITING, Status.QUEUED, Phase.FOLLOW),
        (ExternalState.RUNNING, Status.RUNNING, Phase.FOLLOW),
        (ExternalState.EXPORTING, Status.RUNNING, Phase.FOLLOW),
        (ExternalState.SUCCEEDED, Status.RUNNING, Phase.FETCH),
        (ExternalState.FAILED, Status.RUNNING, Phase.FETCH),
        (ExternalState.CANCELLED, Status.CANCELLED, Phase.DONE),
        (ExternalState.RETIRED, Status.FAILED, Phase.DONE),
        (ExternalState.DELETED, Status.FAILED, Phase.DONE),
        (ExternalState.DEAD, Status.QUEUED, Phase.FOLLOW),
    ],
)
@pytest.mark.parametrize("before", [Status.QUEUED, Status.RUNNING])
def test_state_of_the_service_has_one_meaning(
    before: Status, state: ExternalState, status: Status, phase: Phase
):
    outcome = decisions.looked(replace(FOLLOWING, status=before), external(state))

    assert (outcome.work.status, outcome.work.phase) == (status, phase)
    assert outcome.events


def test_queue_position_is_told_when_it_changes():
    third = decisions.looked(FOLLOWING, external(ExternalState.WAITING, queue_position=3))
    same = decisions.looked(third.work, external(ExternalState.WAITING, queue_position=3))
    following = decisions.looked(same.work, external(ExternalState.WAITING, queue_position=0))

    assert [event.message for event in third.events] == [
        "Waiting in the service's queue behind 3 jobs."
    ]
    assert third.events[0].facts["queue_position"] == 3
    assert not same.events
    assert [event.message for event in following.events] == ["Next in the service's queue."]


def test_new_messages_of_the_service_are_told_once_each():
    def at(*texts: str) -> ExternalJob:
        messages = tuple(Message(kind=MessageKind.RUNNING, text=text) for text in texts)
        return external(ExternalState.RUNNING, steps=(Step(name="Imputation", messages=messages),))

    first = decisions.looked(FOLLOWING, at("1/4"))
    second = decisions.looked(first.work, at("1/4", "2/4"))
    third = decisions.looked(second.work, at("1/4", "2/4"))

    assert [event.message for event in first.events][-1] == "Imputation: 1/4"
    assert [event.message for event in second.events] == ["Imputation: 2/4"]
    assert not third.events


@given(progress=st.lists(st.integers(0, 100), min_size=1))
def test_progress_never_falls_and_never_says_done_before_the_files_are_here(progress: list[int]):
    work = FOLLOWING
    for value in progress:
        after = decisions.looked(work, external(ExternalState.RUNNING, progress=value)).work
        assert work.progress <= after.progress <= 99
        work = after


def test_polls_are_soon_after_news_and_rare_without():
    work, waits = FOLLOWING, []
    for _ in range(15):
        outcome = decisions.looked(work, external(ExternalState.RUNNING))
        work = outcome.work
        waits.append(outcome.wait)

    assert waits[0] == 1
    assert waits == sorted(waits)
    assert waits[-1] == 30


def test_reason_of_a_failure_is_the_services_errors():
    steps = (
        Step(
            name="Quality Control",
            messages=(
                Message(kind=MessageKind.OK, text="fine"),
                Message(kind=MessageKind.ERROR, text="Too few samples."),
            ),
        ),
        Step(name="Summary", messages=(Message(kind=MessageKind.ERROR, text="Failed."),)),
    )

    outcome = decisions.looked(FOLLOWING, external(ExternalState.FAILED, steps=steps))

    assert outcome.work.failure == "Too few samples.\nFailed."
    assert isinstance(outcome.then, decisions.Fetch)


def test_dead_job_is_restarted_twice_at_most():
    dead = external(ExternalState.DEAD)
    first = decisions.looked(FOLLOWING, dead)
    second = decisions.looked(first.work, dead)
    third = decisions.looked(second.work, dead)

    assert [type(outcome.then) for outcome in (first, second)] == [decisions.Restart] * 2
    assert third.then is None
    assert third.work.status is Status.FAILED


@pytest.mark.parametrize(
    ("error", "left"), [(Unreachable("x"), 0), (Busy("x"), 0), (Uncertain("x"), 1)]
)
def test_restart_counts_unless_it_certainly_did_not_arrive(error: FederationError, left: int):
    asked = decisions.looked(FOLLOWING, external(ExternalState.DEAD)).work

    assert decide(decisions.restart_failed, asked, error).work.restarts == left


def test_dead_job_is_not_taken_up_when_its_owner_cancelled_it():
    work = replace(FOLLOWING, cancel_requested=True)

    outcome = decisions.looked(work, external(ExternalState.DEAD))

    assert outcome.work.status is Status.CANCELLED
    assert outcome.then is None


def test_cancelled_is_only_what_the_service_calls_cancelled():
    asked = replace(FOLLOWING, cancel_requested=True)

    still = decisions.cancel_asked(asked, external(ExternalState.RUNNING), now=NOW)
    assert still.work.status is Status.RUNNING
    assert still.events[0].message == "The service was asked to cancel the job."

    done = decisions.cancel_asked(asked, external(ExternalState.CANCELLED), now=NOW)
    assert done.work.status is Status.CANCELLED

    won = decisions.cancel_asked(asked, external(ExternalState.SUCCEEDED), now=NOW)
    assert won.work.phase is Phase.FETCH
    assert "before it could be cancelled" in won.events[-1].message


def test_service_that_refuses_to_cancel_is_looked_at_again():
    asked = replace(FOLLOWING, cancel_requested=True)

    refused = decide(decisions.cancel_refused, asked, Rejected("It is over.", status=400))
    assert refused.work.cancel_asked_at == NOW
    assert "It is over." in refused.events[0].message

    silent = decide(decisions.cancel_refused, asked, Unreachable("x"))
    assert silent.work.cancel_asked_at is None


def test_files_are_fetched_in_order_and_the_last_one_ends_the_job():
    done = external(ExternalState.SUCCEEDED)
    download = Download(path=Path("x"), size=3, sha256="ab")

    assert decisions.next_file(FETCHING, done, stored=()) == ZIP
    first = decisions.fetched(FETCHING, ZIP, download, external=done, stored=())
    assert first.work.status is Status.RUNNING

    assert decisions.next_file(first.work, done, stored={ZIP.name}) == REPORT
    last = decisions.fetched(first.work, REPORT, download, external=done, stored={ZIP.name})
    assert last.work.status is Status.COMPLETED
    assert last.work.progress == 100


@pytest.mark.parametrize(
    "error", [DownloadsExhausted("none left", counted=False), NotFound("gone", status=404)]
)
def test_file_that_cannot_be_had_fails_a_good_job_and_is_left_out_of_a_failed_one(
    error: FederationError,
):
    good = decisions.fetch_failed(FETCHING, error, file=ZIP, now=NOW, jitter=0)
    assert good.work.status is Status.FAILED
    assert ZIP.name in good.work.failure

    bad = replace(FETCHING, failure="Too few samples.")
    left_out = decisions.fetch_failed(bad, error, file=ZIP, now=NOW, jitter=0)
    assert left_out.work.skipped == (ZIP.name,)
    assert decisions.next_file(left_out.work, external(ExternalState.FAILED), stored=()) == REPORT


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (DownloadCut("cut", counted=True), 5),
        (DownloadFailed("wrong password", counted=True), 2),
    ],
)
def test_file_is_given_up_before_all_its_downloads_are_used(error: DownloadFailed, tries: int):
    work = FETCHING
    for number in range(1, tries + 1):
        outcome = decisions.fetch_failed(work, error, file=ZIP, now=NOW, jitter=0)
        work = outcome.work
        assert outcome.events[0].facts["downloads_used"] == 1
        assert (work.status in FINAL) == (number == tries)


def test_trouble_with_the_network_uses_no_download_and_no_try():
    work = replace(FETCHING, cuts=4)

    outcome = decisions.fetch_failed(work, Unreachable("x"), file=ZIP, now=NOW, jitter=0)

    assert outcome.work.status is Status.RUNNING
    assert outcome.work.cuts == 4
    assert outcome.events[0].facts["downloads_used"] == 0


def test_looks_between_downloads_do_not_end_the_row_of_their_failures():
    troubled = decisions.fetch_failed(FETCHING, Unreachable("x"), file=ZIP, now=NOW, jitter=0).work

    looked = decisions.looked(troubled, external(ExternalState.SUCCEEDED))

    assert looked.work.failures == 1


@pytest.mark.parametrize(
    ("wish", "panel", "phasing", "population"),
    [
        (WISH, "apps@afr@1.0.0", "eagle", "off"),
        (replace(WISH, phasing=False), "apps@afr@1.0.0", "no_phasing", "off"),
        (replace(WISH, population="AFR"), "apps@afr@1.0.0", "eagle", "afr"),
        (replace(WISH, panel="afr"), "apps@afr@1.1.0", "eagle", "afr"),
    ],
)
def test_choice_is_made_among_what_is_offered(
    wish: Wish, panel: str, phasing: str, population: str
):
    chosen = choose(wish, OFFER)

    assert (chosen.panel, chosen.phasing, chosen.population) == (panel, phasing, population)


def test_beagle_is_chosen_where_there_is_no_eagle():
    assert choose(WISH, replace(OFFER, phasings=("beagle",))).phasing == "beagle"
    with pytest.raises(Rejected, match="no_phasing"):
        choose(WISH, replace(OFFER, phasings=("no_phasing",)))


@pytest.mark.parametrize(
    ("wish", "listed"),
    [
        (replace(WISH, panel="apps@other@1.0.0"), "apps@afr@1.0.0, apps@afr@1.1.0"),
        (replace(WISH, population="eas"), "afr, off"),
        (replace(WISH, build="hg18"), "hg19, hg38"),
    ],
)
def test_what_is_not_offered_is_refused_with_what_is(wish: Wish, listed: str):
    with pytest.raises(Rejected, match=listed):
        choose(wish, OFFER)


def test_maintenance_is_waited_for():
    with pytest.raises(Busy, match="Back at noon"):
        choose(WISH, replace(OFFER, in_maintenance=True, maintenance_message="Back at noon."))


def test_password_is_one_that_no_service_changes_and_is_never_shown():
    password = new_password()
    submission = choose(WISH, OFFER).submission(
        tag="fip-1", password=password, file=InputFile(path=Path("x"), name="x.vcf.gz")
    )

    assert len(password) == 32
    assert password.isalnum()
    assert password.isascii()
    assert new_password() != password
    outcome = decisions.intended(NEW, submission)
    assert password not in repr(outcome)


@given(failures=st.integers(1, 10_000), jitter=st.floats(0, 1, exclude_max=True))
def test_back_off_is_bounded_and_honours_the_service(failures: int, jitter: float):
    wait = back_off_seconds(failures, jitter=jitter)

    assert 1 <= wait <= 600
    assert back_off_seconds(failures, jitter=jitter, retry_after=3600) == 3600
    assert back_off_seconds(failures + 1, jitter=jitter) >= wait


@given(number=st.integers(0, 10_000))
def test_polls_and_searches_never_wait_long(number: int):
    assert 1 <= poll_seconds(number) <= (30 if number < 36 else 60)
    assert 1 <= search_seconds(number) <= 60


@given(
    now=st.floats(1.6e9, 4e9).map(lambda moment: datetime.fromtimestamp(moment, UTC)),
    wait=st.floats(0, 60),
)
def test_seldom_looks_come_together_and_hardly_later(now: datetime, wait: float):
    due = next_look(now, wait=wait)

    late = (due - now).total_seconds() - wait
    assert -1e-6 <= late < (5 if wait >= 30 else 1e-6)
    assert wait < 30 or due.timestamp() % 5 == 0
