"""A job's life against a real server that speaks the API."""

from datetime import timedelta
from hashlib import sha256

import pytest
from cryptography.fernet import Fernet

from federated_imputation.monolith.accounts.models import ServiceCredential
from federated_imputation.monolith.accounts.queries import reveal_result_password
from federated_imputation.monolith.jobs.models import JobWork
from federated_imputation.monolith.registry.models import ImputationService
from tests.job_world import FILES, World
from tests.michigan_server import zip_of
from tests.michigan_troubles import CutAnswer, CutRequest, Reply, Silence


def test_job_is_submitted_once_followed_and_fetched(world: World):
    job_id = world.submit(phasing=True)

    job = world.finish(job_id)

    assert job.status == "completed"
    assert job.progress_percentage == 100
    assert job.error_message == ""
    assert world.server.submissions == {f"fip-{job_id}": 1}
    assert world.stored(job_id) == FILES
    assert {file.filename: file.checksum for file in job.files.all()} == {
        name: sha256(content).hexdigest() for name, content in FILES.items()
    }
    assert {file["filename"] for file in job.result_files} == set(FILES)
    assert job.started_at is not None
    assert job.completed_at is not None
    assert job.execution_time_seconds == round((job.completed_at - job.started_at).total_seconds())


def test_history_tells_the_services_own_words_in_order(world: World):
    job_id = world.submit()
    world.finish(job_id)

    events = world.events(job_id)

    assert [event.status for event in events] == sorted(
        (event.status for event in events),
        key=["pending", "queued", "running", "completed"].index,
    )
    progress = [event.progress_percentage for event in events]
    assert progress == sorted(progress)
    assert all(event.progress_percentage < 100 for event in events if event.status != "completed")
    said = [event.message for event in events if event.external_data.get("step")]
    assert any(message.startswith("Quality Control: ") for message in said)
    assert len(said) == len(set(said))
    assert events[-1].message == "Completed: all 2 files are here, with their checksums."


def test_submission_names_what_the_service_offers(world: World):
    job_id = world.submit(phasing=True, population="AFR", build="GRCh38")
    world.finish(job_id)

    fields = next(iter(world.server.jobs.values())).fields
    assert fields["refpanel"] == world.panel.panel_id
    assert fields["phasing"] == "eagle"
    assert fields["population"] == "afr"
    assert fields["build"] == "hg38"
    assert "meta" in fields
    assert fields["password"] == reveal_result_password(job_id=job_id)


def test_panel_that_is_no_longer_offered_fails_the_job_with_what_is(world: World):
    world.panel.panel_id = "apps@kit-other@0.9.0"
    world.panel.save()
    job = world.finish(world.submit())

    assert job.status == "failed"
    assert "apps@kit-other@0.9.0" in job.error_message
    assert "apps@kit-afr@1.0.0" in job.error_message
    assert not world.server.submissions


def test_nothing_secret_is_in_what_the_user_sees(world: World):
    job_id = world.submit()
    job = world.finish(job_id)
    external = next(iter(world.server.jobs.values()))
    password = reveal_result_password(job_id=job_id)
    assert password is not None

    shown = [str(job.service_response), job.error_message, str(job.result_files)]
    shown += [f"{event.message} {event.external_data}" for event in world.events(job_id)]

    secrets = [world.server.token, password]
    secrets += [world.server.hash_of(external, name) for name in FILES]
    assert not [secret for secret in secrets for text in shown if secret in text]
    assert job.user_token == ""
    kept = ServiceCredential.objects.filter(job_id=job_id).values_list("encrypted", flat=True)
    assert not [secret for secret in secrets for row in kept if secret in row]


@pytest.mark.parametrize(
    "busy",
    [
        Reply(503, {"message": "This functionality is under maintenance.", "success": False}),
        Reply(429, {"message": "Slow down.", "success": False}, {"Retry-After": "90"}),
    ],
)
def test_busy_service_keeps_the_job_queued_with_its_words(world: World, busy: Reply):
    world.server.next("submit", busy)
    job_id = world.submit()
    world.step()

    job = world.job(job_id)
    assert job.status == "queued"
    assert busy.body["message"] in world.messages(job_id)[-1]
    if "Retry-After" in busy.headers:
        assert job.work.next_poll_at == world.clock() + timedelta(seconds=90)

    assert world.finish(job_id).status == "completed"
    assert world.server.submissions == {f"fip-{job_id}": 1}


def test_job_limit_of_the_service_keeps_the_job_queued(world: World):
    other = world.server.add_job("somebody else's", 2)
    world.server.job_limit = 1
    job_id = world.submit()
    world.step()

    assert world.job(job_id).status == "queued"
    assert "Only 1 jobs per user" in world.messages(job_id)[-1]

    other.states.append(4)
    other.states.popleft()
    assert world.finish(job_id).status == "completed"


def test_maintenance_keeps_the_job_queued_and_sends_nothing(world: World):
    world.server.maintenance = True
    job_id = world.submit()
    world.step()

    assert world.job(job_id).status == "queued"
    assert world.server.count("submit") == 0

    world.server.maintenance = False
    assert world.finish(job_id).status == "completed"


def test_rejected_submission_fails_with_the_services_words(world: World):
    refusal = {"message": "Parameter 'x' not found.", "success": False}
    world.server.next("submit", Reply(400, refusal))

    job = world.finish(world.submit())

    assert job.status == "failed"
    assert "Parameter 'x' not found." in job.error_message
    assert job.completed_at is not None


def test_wrong_token_at_submission_fails_the_job(world: World):
    job = world.finish(world.submit(user_token="not-the-token"))

    assert job.status == "failed"
    assert "refused" in job.error_message
    assert not world.server.submissions


def test_unreachable_service_is_tried_again(world: World):
    url = world.service.api_url
    world.service.api_url = "http://127.0.0.1:1"
    world.service.save()
    job_id = world.submit()
    world.step()

    assert world.job(job_id).status == "queued"
    assert "Nothing was sent" in world.messages(job_id)[-1]

    ImputationService.objects.update(api_url=url)
    assert world.finish(job_id).status == "completed"
    assert world.server.submissions == {f"fip-{job_id}": 1}


def test_submission_without_an_answer_is_found_at_the_service(world: World):
    world.server.next("submit", Silence())
    job_id = world.submit()
    world.step()

    uncertain = world.events(job_id)[-1]
    assert "uncertain" in uncertain.message
    assert uncertain.external_data["uncertain"] is True
    assert world.job(job_id).status == "queued"

    assert world.finish(job_id).status == "completed"
    assert world.server.submissions == {f"fip-{job_id}": 1}
    assert any("It is not sent again." in message for message in world.messages(job_id))


def test_upload_that_was_cut_is_sent_again_only_after_the_grace(world: World):
    world.server.next("submit", CutRequest(after=50))
    job_id = world.submit()
    begun = world.clock()

    assert world.finish(job_id).status == "completed"

    assert world.server.submissions == {f"fip-{job_id}": 1}
    assert world.server.count("submit") == 2
    sent = [event.timestamp for event in world.events(job_id) if "tag" in event.external_data]
    assert sent[0] == begun
    assert sent[1] - sent[0] >= timedelta(minutes=2)
    assert world.server.count("list") >= 6


def test_submission_that_shows_up_late_is_found(world: World):
    world.server.next("submit", CutRequest(after=50))
    job_id = world.submit()
    world.step()
    for _ in range(3):
        world.clock.move(timedelta(seconds=31))
        world.step()
    late = world.server.add_job(f"fip-{job_id}", 1, 2, 4)

    assert world.finish(job_id).external_job_id == late.id
    assert world.server.count("submit") == 1


def test_uncertain_submission_is_not_repeated_while_the_service_does_not_tell(world: World):
    world.server.next("submit", Silence())
    down = Reply(503, {"message": "Down.", "success": False})
    world.server.next("list", *[down] * 30)
    job_id = world.submit()
    for _ in range(30):
        world.clock.move(timedelta(minutes=11))
        world.step()

    assert world.server.count("submit") == 1
    assert world.finish(job_id).status == "completed"
    assert world.server.submissions == {f"fip-{job_id}": 1}


def test_errors_while_following_do_not_fail_a_running_job(world: World):
    job_id = world.submit()
    world.step()
    world.server.next(
        "job",
        Reply(401, {"message": "Token expired.", "success": False}),
        Reply(401, {"message": "Token expired.", "success": False}),
        Reply(500, "<html>proxy error</html>"),
        Reply(404, {"message": "Job not found.", "success": False}),
        CutAnswer(after=3),
    )

    job = world.finish(job_id)

    assert job.status == "completed"
    messages = world.messages(job_id)
    assert sum("does not accept the token" in message for message in messages) == 1
    assert messages.count("The service answers again.") == 1


def test_job_that_the_service_forgot_fails_after_ten_minutes(world: World):
    job_id = world.submit()
    world.step()
    world.server.jobs.clear()

    job = world.finish(job_id)

    assert job.status == "failed"
    assert "no longer knows the job" in job.error_message


def test_dead_job_is_restarted_under_its_own_id(world: World):
    world.server.states = (2, -1)
    job_id = world.submit()
    for _ in range(2):
        world.clock.move(timedelta(seconds=40))
        world.step()
    world.server.states = (1, 2, 4)

    job = world.finish(job_id)

    assert job.status == "completed"
    assert world.server.count("restart") == 1
    assert world.server.submissions == {f"fip-{job_id}": 1}
    assert any("1 of at most 2" in message for message in world.messages(job_id))


def test_job_that_dies_three_times_is_restarted_twice_and_fails(world: World):
    world.server.states = (2, -1)
    job_id = world.submit()

    job = world.finish(job_id)

    assert job.status == "failed"
    assert "after 2 restarts" in job.error_message
    assert world.server.count("restart") == 2
    assert world.server.submissions == {f"fip-{job_id}": 1}


def test_failed_job_brings_its_files_and_the_services_errors(world: World):
    world.server.states = (1, 2, 5)
    job_id = world.submit()

    job = world.finish(job_id)

    assert job.status == "failed"
    assert "More than 100 obvious strand flips" in job.error_message
    assert world.stored(job_id) == FILES
    assert job.progress_percentage < 100


def test_failed_job_ends_without_the_files_that_cannot_be_had(world: World):
    world.server.states = (1, 2, 5)
    world.server.downloads = 0
    job = world.finish(world.submit())

    assert job.status == "failed"
    assert "More than 100 obvious strand flips" in job.error_message
    assert job.files.count() == 0


@pytest.mark.parametrize(("state", "word"), [(7, "retired"), (10, "deleted")])
def test_results_that_are_gone_fail_the_job(world: World, state: int, word: str):
    world.server.states = (1, 2, state)
    job = world.finish(world.submit())

    assert job.status == "failed"
    assert word in job.error_message


def test_job_cancelled_at_the_service_is_cancelled(world: World):
    world.server.states = (1, 2, 6)
    job_id = world.submit()

    assert world.finish(job_id).status == "cancelled"
    assert world.messages(job_id)[-1] == "The job was cancelled at the service, not from here."


def test_cut_download_is_shown_and_costs_one_of_the_count(world: World):
    world.server.next("download", CutAnswer(after=20))
    job_id = world.submit()

    job = world.finish(job_id)

    assert job.status == "completed"
    assert world.stored(job_id) == FILES
    assert world.server.count("download") == len(FILES) + 1
    cut = next(e for e in world.events(job_id) if "could not be fetched" in e.message)
    assert cut.external_data["downloads_used"] == 1
    assert cut.external_data["downloads_left"] == 9


def test_every_cut_of_one_file_is_shown(world: World):
    world.server.next("download", CutAnswer(after=20), CutAnswer(after=20))
    job_id = world.submit()
    world.finish(job_id)

    cuts = [e for e in world.events(job_id) if "could not be fetched" in e.message]
    assert [cut.external_data["downloads_left"] for cut in cuts] == [9, 8]


def test_file_that_keeps_breaking_fails_the_job_and_leaves_downloads_to_the_user(world: World):
    world.server.next("download", *[CutAnswer(after=20)] * 5)

    job = world.finish(world.submit())

    assert job.status == "failed"
    assert "chr_20.zip" in job.error_message
    assert world.server.count("download") == 5


def test_exhausted_downloads_fail_the_job_and_name_the_file(world: World):
    world.server.downloads = 0

    job = world.finish(world.submit())

    assert job.status == "failed"
    assert "chr_20.zip" in job.error_message
    assert "max downloads" in job.error_message


def test_zip_that_is_damaged_at_the_service_fails_the_job(world: World):
    damaged = bytearray(FILES["chr_20.zip"])
    damaged[60] ^= 0xFF
    world.server.files = {"chr_20.zip": bytes(damaged)}

    job = world.finish(world.submit())

    assert job.status == "failed"
    assert "chr_20.zip" in job.error_message


def test_zip_is_checked_with_the_jobs_own_password(world: World):
    job_id = world.submit()
    world.step()
    password = reveal_result_password(job_id=job_id)
    world.server.files = {"chr_20.zip": zip_of({"chr20.dose.vcf.gz": b"x"}, password=password)}

    job = world.finish(job_id)

    assert job.status == "completed"
    assert world.stored(job_id) == world.server.files  # still encrypted


def test_service_that_offers_no_files_fails_the_job(world: World):
    world.server.files = {}

    job = world.finish(world.submit())

    assert job.status == "failed"
    assert "offers no files" in job.error_message


def test_retry_is_a_new_attempt_under_a_new_tag(world: World):
    world.server.states = (1, 2, 5)
    job_id = world.submit()
    first = world.finish(job_id)
    world.server.states = (1, 2, 4)

    world.retry(job_id)

    waiting = world.job(job_id)
    assert waiting.status == "pending"
    assert waiting.external_job_id == ""
    assert waiting.error_message == ""
    assert waiting.completed_at is None
    assert waiting.files.count() == 0
    job = world.finish(job_id)
    assert job.status == "completed"
    assert job.external_job_id != first.external_job_id
    assert world.server.submissions == {f"fip-{job_id}": 1, f"fip-{job_id}-r2": 1}
    assert world.stored(job_id) == FILES
    taken_up = next(e for e in world.events(job_id) if "attempt 2" in e.message)
    assert taken_up.external_data["earlier_external_id"] == first.external_job_id


def test_missing_input_file_fails_the_job(world: World, tmp_path):
    job_id = world.submit()
    input_file = tmp_path / str(world.job(job_id).input_file)
    inode = input_file.stat().st_ino  # the object of the store is another name of it
    for name in [path for path in tmp_path.rglob("*") if path.stat().st_ino == inode]:
        name.unlink()

    job = world.finish(job_id)

    assert job.status == "failed"
    assert "no longer here" in job.error_message


def test_job_of_the_earlier_system_at_a_service_is_followed(world: World):
    job_id = world.submit()
    old = world.server.add_job("study", 2, 4)
    job = world.job(job_id)
    job.status, job.external_job_id = "running", old.id
    job.service_response = {"id": old.id, "steps": [{"name": "Summary", "logMessages": []}]}
    job.save()
    JobWork.objects.filter(job=job).update(phase="follow")

    assert world.finish(job_id).status == "completed"
    assert world.server.count("submit") == 0


def test_secrets_that_nobody_can_read_any_more_end_the_job_with_that_reason(world: World, settings):
    job_id = world.submit()
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

    job = world.finish(job_id)

    assert job.status == "failed"
    assert "cannot be decrypted" in job.error_message
