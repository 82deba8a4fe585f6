"""The runner's writes: each may run twice, and only the server that has the job may write."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.node import workspaces
from apps.node.models import Job, Message, OutputFile
from apps.node.operations import runs
from apps.node.operations.jobs import STEPS, JobStillActive, cancel_job, delete_job, restart_job
from apps.node.states import ACTIVE, LISTED, TRANSITIONS, State, sources
from tests.unit.apps.node.scenes import SERVER, Scene, finished_job

pytestmark = pytest.mark.django_db


def test_every_state_but_waiting_is_reached_and_left_by_the_table():
    assert set(TRANSITIONS) == set(State)
    assert all(sources(state) for state in set(State))
    assert {state for state, targets in TRANSITIONS.items() if not targets} == {State.DELETED}
    assert all(State.DEAD in TRANSITIONS[state] for state in ACTIVE)
    assert State.DELETED not in LISTED


def test_a_message_whose_commit_was_in_doubt_is_not_repeated(amina):
    scene = Scene(amina.submitted())
    scene.say("once")
    scene.number -= 1
    scene.say("once")
    assert Message.objects.filter(step__job=scene.job).count() == 1


def test_an_output_offered_again_keeps_its_hash_and_count(amina):
    scene = Scene(amina.submitted())
    first = scene.offer("a.txt", b"1", downloads=3)
    OutputFile.objects.update(count=1)
    again = scene.offer("a.txt", b"123", downloads=3)
    assert (again.hash, again.count, again.size) == (first.hash, 1, 3)


def test_an_unknown_step_is_added_behind_the_known_ones(amina):
    scene = Scene(amina.submitted())
    scene.say("x", step="Lift over")
    names = scene.job.steps.order_by("position").values_list("name", flat=True)
    assert list(names) == [*STEPS, "Lift over"]


def test_a_server_that_was_replaced_can_write_nothing(amina):
    scene = Scene(amina.submitted())
    runs.begin_service(server=uuid4(), now=timezone.now())
    with pytest.raises(runs.RunLost):
        scene.say("too late")
    with pytest.raises(runs.RunLost):
        scene.end(State.SUCCESS)
    scene.job.refresh_from_db()
    assert scene.job.state == State.DEAD


def test_the_end_of_a_run_may_be_written_twice_but_not_changed(amina):
    scene = Scene(amina.submitted())
    scene.end(State.FAILED)
    scene.end(State.FAILED)
    with pytest.raises(runs.RunLost):
        scene.end(State.CANCELED)


def test_success_is_only_reached_by_way_of_exporting(amina):
    scene = Scene(amina.submitted())
    with pytest.raises(runs.RunLost):
        scene.end(State.SUCCESS)
    scene.export()
    assert scene.end(State.SUCCESS).state == State.SUCCESS


def test_the_job_that_waited_longest_is_claimed_first(amina):
    first, second = amina.submitted(), amina.submitted()
    now = timezone.now()
    assert runs.claim_job(server=SERVER, running=[], now=now) == first
    assert runs.claim_job(server=SERVER, running=[first.pk], now=now) == second
    assert runs.claim_job(server=SERVER, running=[first.pk, second.pk], now=now) is None


def test_a_job_claimed_by_a_commit_in_doubt_is_taken_up(amina):
    job = amina.submitted()
    now = timezone.now()
    runs.claim_job(server=SERVER, running=[], now=now)
    assert runs.claim_job(server=SERVER, running=[], now=now) == job
    assert runs.claim_job(server=uuid4(), running=[], now=now) is None


def test_cancel_of_a_running_job_is_a_wish_and_of_an_ended_one_nothing(amina):
    scene = Scene(amina.submitted())
    cancel_job(job=scene.job, now=timezone.now())
    scene.job.refresh_from_db()
    assert (scene.job.state, scene.job.cancel_requested_at is not None) == (State.RUNNING, True)

    ended = finished_job(amina.submitted())
    cancel_job(job=ended, now=timezone.now())
    ended.refresh_from_db()
    assert (ended.state, ended.cancel_requested_at) == (State.SUCCESS, None)


def test_a_restarted_job_is_last_in_the_queue_and_has_no_traces(amina):
    scene = Scene(amina.submitted())
    scene.say("first run")
    scene.offer("qc_report.txt", b"x")
    other = amina.submitted()
    runs.begin_service(server=SERVER, now=timezone.now())
    restart_job(job=other, now=timezone.now())
    restart_job(job=scene.job, now=timezone.now())
    body = amina.get(f"/api/v2/jobs/{scene.job.pk}").json()
    assert body["positionInQueue"] == 1
    assert body["startTime"] == body["endTime"] == 0
    assert all(step["empty"] for step in body["steps"])
    assert [len(output["files"]) for output in body["outputParams"]] == [0, 0]
    folder = workspaces.workspace(scene.job.pk)
    assert list((folder / "output").iterdir()) == []
    assert list((folder / "input").iterdir())
    again = runs.claim_job(server=SERVER, running=[], now=timezone.now())
    assert again == other


def test_a_job_at_work_cannot_be_deleted_and_a_deleted_one_is_not_listed(amina):
    job = amina.submitted()
    path = f"/api/v2/jobs/{job.pk}"
    with pytest.raises(JobStillActive):
        delete_job(job=job, now=timezone.now())
    assert amina.request("delete", path, session=True).status_code == 400
    finished_job(job)
    assert amina.request("delete", path, session=True).json()["state"] == State.DELETED
    assert not workspaces.workspace(job.pk).exists()
    assert amina.get("/api/v2/jobs").json()["data"] == []


def test_a_dead_job_nobody_restarts_is_retired_too(amina):
    job = amina.submitted()
    runs.begin_service(server=SERVER, now=timezone.now())
    late = timezone.now() + timedelta(days=7)
    assert runs.retire_jobs(now=late, retire_after=timedelta(days=7)) == 1
    assert Job.objects.get(pk=job.pk).password == ""


def test_workspaces_without_a_job_are_removed_after_a_day(amina):
    job = amina.submitted()
    workspaces.create_workspace("job-20200101-000000-000")
    assert runs.remove_orphans(now=timezone.now()) == 0
    assert runs.remove_orphans(now=timezone.now() + timedelta(days=2)) == 1
    assert [folder.name for folder in workspaces.jobs_root().iterdir()] == [job.pk]


@pytest.mark.parametrize(
    "change",
    [
        {"state": 11},
        {"state": State.RUNNING},
        {"state": State.SUCCESS},
        {"state": State.FAILED, "ended_at": timezone.now()},
    ],
)
def test_the_database_refuses_impossible_jobs(amina, change):
    job = amina.submitted()
    with pytest.raises(IntegrityError), transaction.atomic():
        Job.objects.filter(pk=job.pk).update(**change)


def test_the_database_refuses_a_negative_count(amina):
    finished_job(amina.submitted())
    with pytest.raises(IntegrityError), transaction.atomic():
        OutputFile.objects.update(count=-2)
