"""The adapter reads every example message of the API, through real HTTP."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from apps.contracts import examples
from apps.federation import michigan_answers
from apps.federation.michigan import Michigan
from apps.federation.protocol import (
    Busy,
    DownloadsExhausted,
    ExternalFile,
    ExternalState,
    FederationError,
    Forbidden,
    MessageKind,
    NotAuthenticated,
    NotFound,
    OfferedPanel,
    Rejected,
    Submission,
)
from tests.michigan_troubles import Reply

EXAMPLES = examples.load("michigan")
JOB = "job-20261001-101500-001"

# Messages of the web interface and of the node's own tools; no call of the adapter meets them.
NOT_USED = {
    "api-token-created",
    "counters",
    "error-api-token-forbidden",
    "error-login-locked",
    "error-login-not-activated",
    "error-login-wrong-password",
    "login",
    "profile",
    "token-invalid",
    "token-valid",
}
ERRORS: dict[str, type[FederationError]] = {
    "error-app-maintenance": Busy,
    "error-app-not-found": NotFound,
    "error-download-exhausted": DownloadsExhausted,
    "error-download-file-gone": NotFound,
    "error-download-not-found": NotFound,
    "error-forbidden-delete": Forbidden,
    "error-forbidden-job": Forbidden,
    "error-job-not-dead": Rejected,
    "error-job-not-found": NotFound,
    "error-not-authenticated": NotAuthenticated,
    "error-submit-maintenance": Busy,
    "error-submit-not-authenticated": NotAuthenticated,
    "error-submit-too-many-jobs": Busy,
    "error-submit-unknown-application": NotFound,
    "error-submit-unknown-parameter": Rejected,
    "error-submit-upload-limit": Rejected,
}
STATES = {
    "job-cancel": ExternalState.CANCELLED,
    "job-cancelled": ExternalState.CANCELLED,
    "job-dead": ExternalState.DEAD,
    "job-deleted": ExternalState.DELETED,
    "job-exporting": ExternalState.EXPORTING,
    "job-failed": ExternalState.FAILED,
    "job-failed-notified": ExternalState.FAILED,
    "job-failed-validation": ExternalState.FAILED,
    "job-retired": ExternalState.RETIRED,
    "job-running": ExternalState.RUNNING,
    "job-running-status": ExternalState.RUNNING,
    "job-success": ExternalState.SUCCEEDED,
    "job-success-notified": ExternalState.SUCCEEDED,
    "job-success-password-shown": ExternalState.SUCCEEDED,
    "job-validating": ExternalState.RUNNING,
    "job-waiting": ExternalState.WAITING,
    "job-waiting-next": ExternalState.WAITING,
}
ANSWERS = {
    "app",
    "job-restarted",
    "jobs-all",
    "jobs-none",
    "jobs-page",
    "server-anonymous",
    "server-in-maintenance",
    "server-with-token",
    "submit-accepted",
}


def reply(name: str) -> Reply:
    return Reply(EXAMPLES[name].status, EXAMPLES[name].body)


def ask(michigan: Michigan, path: str, submission: Submission, folder: Path) -> None:
    """Make the call of the adapter that asks for `path`."""
    match path.split("/")[1:]:
        case ["share", *_]:
            file = ExternalFile(name="chr_20.zip", locator="a" * 64)
            michigan.download(file, folder / "chr_20.zip")
        case ["api", "v2", "jobs", "submit", *_]:
            michigan.submit(submission)
        case ["api", "v2", "jobs"]:
            michigan.find("fip-1")
        case ["api", "v2", "jobs", _, "restart"]:
            michigan.restart(JOB)
        case ["api", "v2", "jobs", *_]:
            michigan.job(JOB)
        case ["api", "v2", "server", *_]:
            michigan.discover()


def test_every_example_is_read_by_a_test_here():
    assert set(EXAMPLES) == NOT_USED | set(ERRORS) | set(STATES) | ANSWERS


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_what_its_status_and_words_say(michigan, server, submission, tmp_path, name):
    example = EXAMPLES[name]
    server.next("any", reply(name))

    with pytest.raises(ERRORS[name]) as caught:
        ask(michigan, example.path, submission, tmp_path)

    assert type(caught.value) is ERRORS[name]
    assert str(caught.value) == example.body["message"]
    if isinstance(caught.value, Rejected):
        assert caught.value.status == example.status


@pytest.mark.parametrize("name", STATES)
def test_a_job_has_its_true_state(michigan, server, name):
    server.next("any", reply(name))

    job = michigan.cancel(JOB) if name == "job-cancel" else michigan.job(JOB)

    assert job.state is STATES[name]
    assert job.id == JOB
    assert job.name == EXAMPLES[name].body["name"]
    assert [step.name for step in job.steps] == [
        "Input Validation",
        "Quality Control",
        "Phasing and Imputation",
        "Summary",
    ]
    for step in job.steps:
        for message in step.messages:
            assert message.text
            assert "<b>" not in message.text
            assert "&" not in message.text.replace("z&s", "")


def test_a_finished_job_offers_files_with_their_counts():
    job = michigan_answers.job(EXAMPLES["job-success"].body)

    assert [(f.name, f.downloads_left, f.size_text, f.output) for f in job.files] == [
        ("chr_20.zip", 10, "55 MB", "output"),
        ("qc_report.txt", 9, "753 bytes", "output"),
        ("quality-control.html", 10, "1 MB", "output"),
        ("statistics/snps-excluded.txt", 10, "25 KB", "output"),
        ("statistics/snps-typed-only.txt", None, "0 bytes", "output"),
        ("step1-nextflow.log", 10, "12 KB", "cloudgene_logs"),
    ]
    assert job.files[0].locator not in repr(job)


def test_a_failed_job_offers_what_holds_its_reason():
    job = michigan_answers.job(EXAMPLES["job-failed"].body)

    assert "statistics/snps-excluded.txt" in [file.name for file in job.files]
    reason = job.steps[1].messages[-1]
    assert reason.kind is MessageKind.ERROR
    assert reason.text.startswith("More than 100 obvious strand flips have been detected.")
    assert reason.at == datetime(2026, 10, 1, 10, 15, 9, 100_000, UTC)


def test_a_retired_job_offers_nothing():
    assert michigan_answers.job(EXAMPLES["job-retired"].body).files == ()


def test_words_keep_their_lines_and_lose_their_markup():
    job = michigan_answers.job(EXAMPLES["job-running"].body)

    validation, quality = job.steps[0].messages[0], job.steps[1].messages[0]
    assert validation.text.split("\n")[:4] == [
        "1 valid VCF file(s) found.",
        "",
        "Samples: 60",
        "Chromosomes: 20",
    ]
    assert "Alternative allele frequency > 0.5 sites: 213" in quality.text.split("\n")
    assert [m.text for m in job.steps[2].messages] == [
        "Phasing with Eagle (4/4)",
        "Imputation (1/4)",
    ]
    assert [m.kind for m in job.steps[2].messages] == [MessageKind.OK, MessageKind.RUNNING]


def test_progress_rises_from_example_to_example():
    order = ["waiting", "validating", "running", "exporting", "success"]
    reached = [michigan_answers.job(EXAMPLES[f"job-{name}"].body).progress for name in order]

    assert reached == sorted(reached)
    assert len(set(reached)) == len(reached)
    assert (reached[0], reached[-1]) == (0, 100)


def test_only_a_waiting_job_has_a_place_in_the_queue():
    places = {
        name: michigan_answers.job(EXAMPLES[name].body).queue_position
        for name in ("job-waiting", "job-waiting-next", "job-running", "job-success")
    }
    assert list(places.values()) == [1, 0, None, None]


def test_what_the_application_offers_is_discovered(michigan, server):
    server.next("server", reply("server-with-token"))
    server.next("app", reply("app"))

    offer = michigan.discover()

    assert (offer.application, offer.version) == ("imputationserver2", "2.0.12")
    assert offer.panels == (
        OfferedPanel(key="apps@kit-afr@1.0.0", name="Kit AFR", populations=("afr", "off")),
        OfferedPanel(key="apps@kit-eur@1.2.0", name="Kit EUR", populations=("eur", "off")),
    )
    assert offer.phasings == ("eagle", "beagle", "no_phasing")
    assert offer.builds == ("hg19", "hg38")
    assert offer.modes == ("qc_only", "imputation")
    assert offer.r2_filters == (0, 0.001, 0.1, 0.2, 0.3)
    assert not offer.in_maintenance


def test_discovery_needs_no_login_to_see_maintenance(michigan, server):
    server.next("server", reply("server-in-maintenance"))

    offer = michigan.discover()

    assert offer.in_maintenance
    assert offer.maintenance_message == "Back at 18:00 UTC."
    assert offer.panels == ()
    assert server.count("app") == 0


def test_an_anonymous_answer_is_followed_by_the_schema(michigan, server):
    server.next("server", reply("server-anonymous"))

    assert michigan.discover().panels


def test_an_accepted_submission_gives_its_id(michigan, server, submission):
    server.next("submit", reply("submit-accepted"))

    assert michigan.submit(submission) == JOB


@pytest.mark.parametrize("name", ["jobs-all", "jobs-page"])
def test_a_job_is_found_in_a_list_by_its_name(michigan, server, name):
    server.next("list", reply(name))

    job = michigan.find("study-2")

    assert job is not None
    assert job.id == "job-20261001-101502-002"
    assert job.state is ExternalState.SUCCEEDED


def test_no_job_is_found_in_an_empty_list(michigan, server):
    server.next("list", reply("jobs-none"))

    assert michigan.find("study-2") is None
    assert server.count("list") == 1


def test_a_restart_is_taken(michigan, server):
    server.next("restart", reply("job-restarted"))

    michigan.restart(JOB)

    assert [r.path for r in server.requests] == [f"/api/v2/jobs/{JOB}/restart"]
