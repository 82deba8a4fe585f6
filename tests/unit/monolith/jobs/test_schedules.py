"""Schedules as their owners make, change, pause and resume them."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from federated_imputation.monolith.accounts.models import (
    AuditLog,
    ServiceCredential,
    UserProfile,
)
from federated_imputation.monolith.files.models import GenotypeFile
from federated_imputation.monolith.jobs.models import ImputationJob
from federated_imputation.monolith.jobs.plans.models import (
    JobTemplate,
    ScheduledExecution,
    ScheduledJob,
)
from federated_imputation.monolith.registry.models import ImputationService, ReferencePanel
from tests.factories import make_user
from tests.unit.monolith.jobs.plans_world import (
    client_of,
    new_panel,
    put_file,
    put_template,
    send,
    somebody,
)

pytestmark = pytest.mark.django_db
FIRST = datetime(2035, 1, 31, 2, 0, tzinfo=UTC)


@pytest.fixture
def panel():
    return new_panel()


@pytest.fixture
def ada():
    return make_user("ada", role="researcher")


@pytest.fixture
def client(ada):
    return client_of(ada)


@pytest.fixture
def body(client, panel):
    return {
        "name": "Monthly",
        "template": put_template(client, panel),
        "genotype_file": put_file(client),
        "schedule_type": "monthly",
        "scheduled_time": FIRST.isoformat(),
    }


def make(client, body, **changes):
    return send(client, "/api/scheduled/", {**body, **changes})


@pytest.fixture
def schedule_id(client, body):
    return make(client, body).json()["id"]


def act(client, schedule_id, action):
    return send(client, f"/api/scheduled/{schedule_id}/{action}/")


def edit(client, schedule_id, **changes):
    return send(client, f"/api/scheduled/{schedule_id}/", changes, method="PATCH")


def shown(client, schedule_id):
    return client.get(f"/api/scheduled/{schedule_id}/").json()


def moment(text):
    return datetime.fromisoformat(text)


def test_schedule_is_active_from_the_beginning(client, body, ada):
    UserProfile.objects.filter(user=ada).update(timezone="Europe/Paris")

    made = make(client, body, max_executions=3)

    assert made.status_code == 201, made.content
    told = made.json()
    assert told["is_active"] is True
    assert moment(told["next_execution"]) == FIRST
    assert (told["time_zone"], told["recurrence_interval"]) == ("Europe/Paris", 1)
    assert told["template"]["id"] == body["template"]
    assert told["genotype_file"]["name"] == "study.vcf.gz"
    assert shown(client, told["id"]) == told
    assert client.get("/api/scheduled/?is_active=true").json()["results"] == [told]
    assert client.get("/api/scheduled/?is_active=false").json()["count"] == 0


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("name", "", "may not be blank"),
        ("schedule_type", "hourly", "not a valid choice"),
        ("scheduled_time", "2020-01-01T00:00:00Z", "has passed"),
        ("scheduled_time", "2035-01-01T00:00:00", "Give the offset from UTC"),
        ("scheduled_time", "2999-01-01T00:00:00Z", "At most ten years ahead"),
        ("time_zone", "Mars/Olympus", "not a known time zone"),
        ("time_zone", "../etc/passwd", "not a known time zone"),
        ("recurrence_interval", 0, "greater than or equal to 1"),
        ("recurrence_interval", 367, "less than or equal to 366"),
        ("max_executions", 0, "greater than or equal to 1"),
        ("template", str(uuid4()), "does not exist"),
        ("genotype_file", str(uuid4()), "does not exist"),
    ],
)
def test_schedule_that_does_not_fit_is_refused_by_field(client, body, field, value, told):
    answer = make(client, body, **{field: value})

    assert answer.status_code == 400
    assert told in answer.json()[field][0]
    assert not ScheduledJob.objects.exists()


def test_zone_of_a_profile_that_is_none_is_told(client, body, ada):
    UserProfile.objects.filter(user=ada).update(timezone="Central Bamako Time")

    assert "not a known time zone" in make(client, body).json()["time_zone"][0]
    assert make(client, body, time_zone="Africa/Bamako").status_code == 201


def test_what_a_job_would_be_refused_for_is_told_at_once(client, body):
    refused = make(client, body, genotype_file=put_file(client, "x.vcf"))
    assert '"bgzip"' in refused.json()["genotype_file"][0]

    ReferencePanel.objects.update(is_active=False)
    refused = make(client, body)
    assert refused.json()["template"] == ["This panel is not active."]


def test_token_of_a_schedule_is_kept_for_its_jobs(client, body, ada, panel):
    ImputationService.objects.update(api_key_required=True)
    assert "needs your API token" in make(client, body).json()["user_token"][0]

    made = make(client, body, user_token="s3cret-token")

    assert made.status_code == 201, made.content
    assert b"s3cret-token" not in made.content
    kept = ServiceCredential.objects.get(kind="api_token")
    assert (kept.user_id, kept.service_id) == (ada.pk, panel.service_id)
    assert act(client, made.json()["id"], "run_now").status_code == 201


def test_schedule_is_its_owners_alone(client, schedule_id):
    admin = somebody("root", role="admin", is_superuser=True)
    path = f"/api/scheduled/{schedule_id}/"

    assert admin.get("/api/scheduled/").json()["count"] == 0
    assert admin.get(path).status_code == 404
    assert admin.get(f"{path}executions/").status_code == 404
    assert edit(admin, schedule_id, name="Mine").status_code == 404
    assert admin.delete(path).status_code == 404
    for action in ("pause", "resume", "run_now"):
        assert act(admin, schedule_id, action).status_code == 404


def test_schedule_takes_a_template_that_is_shared_and_no_other(client, body, panel):
    eve = somebody("eve", role="researcher")
    private, shared = put_template(eve, panel), put_template(eve, panel, is_public=True)

    assert "does not exist" in make(client, body, template=private).json()["template"][0]
    assert make(client, body, template=shared).status_code == 201


def test_viewer_makes_resumes_and_runs_no_schedule(client, body, ada, schedule_id):
    UserProfile.objects.filter(user=ada).update(role=make_user("v", role="viewer").profile.role)

    assert make(client, body).status_code == 403
    assert edit(client, schedule_id, name="New").status_code == 403
    assert act(client, schedule_id, "run_now").status_code == 403
    assert act(client, schedule_id, "pause").status_code == 200
    assert act(client, schedule_id, "resume").status_code == 403
    assert client.delete(f"/api/scheduled/{schedule_id}/").status_code == 204


def test_edit_moves_the_next_time(client, schedule_id):
    changed = edit(client, schedule_id, scheduled_time="2034-05-01T04:00:00+02:00")
    assert changed.status_code == 200, changed.content
    assert moment(changed.json()["next_execution"]) == datetime(2034, 5, 1, 2, tzinfo=UTC)

    renamed = edit(client, schedule_id, name="New", description="Ours")
    assert (renamed.json()["name"], renamed.json()["description"]) == ("New", "Ours")
    assert renamed.json()["next_execution"] == changed.json()["next_execution"]
    assert edit(client, schedule_id, max_executions=None).json()["max_executions"] is None


def test_put_writes_all_of_it(client, body, schedule_id):
    path = f"/api/scheduled/{schedule_id}/"
    written = send(client, path, {**body, "schedule_type": "weekly"}, method="PUT")

    assert written.json()["schedule_type"] == "weekly"
    assert send(client, path, {"name": "New"}, method="PUT").status_code == 400


def test_pause_and_resume(client, schedule_id):
    paused = act(client, schedule_id, "pause")
    assert (paused.json()["is_active"], paused.json()["next_execution"]) == (False, None)
    assert paused.json()["inactive_because"] == "Paused."
    assert act(client, schedule_id, "pause").json()["error"] == "This schedule is not active."

    resumed = act(client, schedule_id, "resume")
    assert resumed.json()["is_active"] is True
    assert moment(resumed.json()["next_execution"]) == FIRST
    assert resumed.json()["inactive_because"] == ""
    assert act(client, schedule_id, "resume").json()["error"] == "This schedule is active."


def test_paused_schedule_stays_paused_when_it_is_changed(client, schedule_id):
    act(client, schedule_id, "pause")

    changed = edit(client, schedule_id, schedule_type="daily")

    assert (changed.json()["is_active"], changed.json()["next_execution"]) == (False, None)


def test_schedule_without_a_time_left_is_not_resumed(client, schedule_id):
    act(client, schedule_id, "pause")
    past = timezone.now() - timedelta(days=1)
    ScheduledJob.objects.update(schedule_type="once", scheduled_time=past)

    refused = act(client, schedule_id, "resume")

    assert refused.status_code == 400
    assert refused.json()["error"] == "Its time is over; change scheduled_time first."


def test_run_now_makes_a_job_beside_the_times(client, schedule_id, body):
    ran = act(client, schedule_id, "run_now")

    assert ran.status_code == 201, ran.content
    assert (ran.json()["outcome"], ran.json()["is_by_hand"]) == ("submitted", True)
    job = client.get(f"/api/jobs/{ran.json()['job']}/").json()
    assert job["name"].startswith("Monthly 20")
    told = shown(client, schedule_id)
    assert (told["execution_count"], moment(told["next_execution"])) == (1, FIRST)
    history = client.get(f"/api/scheduled/{schedule_id}/executions/").json()
    assert history["results"] == [ran.json()]
    assert JobTemplate.objects.get().usage_count == 1


def test_run_now_that_is_refused_says_why_and_is_in_the_history(client, schedule_id, body):
    client.delete(f"/api/files/{body['genotype_file']}/")

    refused = act(client, schedule_id, "run_now")

    assert refused.status_code == 400
    assert "genotype file was deleted" in refused.json()["error"]
    (row,) = client.get(f"/api/scheduled/{schedule_id}/executions/").json()["results"]
    assert (row["outcome"], row["message"]) == ("refused", refused.json()["error"])
    assert shown(client, schedule_id)["is_active"] is True


def test_runs_by_hand_count_for_the_most(client, body):
    schedule_id = make(client, body, max_executions=1).json()["id"]

    act(client, schedule_id, "run_now")

    told = shown(client, schedule_id)
    assert (told["is_active"], told["inactive_because"]) == (False, "It ran 1 times, as it should.")
    for action in ("run_now", "resume"):
        assert "raise max_executions" in act(client, schedule_id, action).json()["error"]
    few = edit(client, schedule_id, max_executions=1)
    assert "give a larger number" in few.json()["max_executions"][0]
    edit(client, schedule_id, max_executions=2)
    assert act(client, schedule_id, "resume").status_code == 200


def test_schedule_is_deleted_and_its_jobs_stay(client, schedule_id):
    act(client, schedule_id, "run_now")

    assert client.delete(f"/api/scheduled/{schedule_id}/").status_code == 204

    assert client.get(f"/api/scheduled/{schedule_id}/").status_code == 404
    assert ImputationJob.objects.count() == 1
    assert not ScheduledExecution.objects.exists()


def test_writes_are_audited(client, schedule_id, ada):
    edit(client, schedule_id, name="New")
    for action in ("pause", "resume", "run_now"):
        act(client, schedule_id, action)
    client.delete(f"/api/scheduled/{schedule_id}/")

    found = AuditLog.objects.filter(resource_type="scheduled_job", user=ada).order_by("id")
    assert list(found.values_list("action", flat=True)) == [
        *("create_schedule", "update_schedule", "pause_schedule", "resume_schedule"),
        *("run_schedule", "delete_schedule"),
    ]
    assert found[1].details == {"fields": ["name"]}


def test_executions_have_pages(client, schedule_id):
    now = timezone.now()
    ScheduledExecution.objects.bulk_create(
        ScheduledExecution(
            schedule_id=schedule_id,
            due_at=now + timedelta(days=number),
            executed_at=now + timedelta(days=number),
            outcome="refused",
            message=f"No {number}.",
        )
        for number in range(21)
    )

    first = client.get(f"/api/scheduled/{schedule_id}/executions/").json()

    assert (first["count"], len(first["results"])) == (21, 20)
    assert first["results"][0]["message"] == "No 20."
    last = client.get(f"/api/scheduled/{schedule_id}/executions/?page=2").json()
    assert [row["message"] for row in last["results"]] == ["No 0."]


@pytest.mark.parametrize(
    ("deletion", "left"),
    [
        ("DELETE FROM imputation_jobtemplate", {"template": None}),
        ("DELETE FROM imputation_genotypefile", {"genotype_file": None}),
        ("DELETE FROM imputation_scheduledjob", None),
        ("DELETE FROM auth_user WHERE username = 'bob'", None),
    ],
)
def test_database_lets_go_of_what_is_deleted(panel, deletion, left):
    """As a process does it that knows nothing of schedules."""
    ada, bob = make_user("ada"), make_user("bob")
    schedule = ScheduledJob.objects.create(
        user=bob,
        name="Weekly",
        template=JobTemplate.objects.create(
            user=ada, name="T", service=panel.service, reference_panel=panel
        ),
        genotype_file=GenotypeFile.objects.create(
            user=ada, name="x.vcf", path="genotypes/x", size=1, sha256="0" * 64, format="vcf"
        ),
        schedule_type="once",
        scheduled_time=FIRST,
    )
    ScheduledExecution.objects.create(
        schedule=schedule, due_at=FIRST, executed_at=FIRST, outcome="refused", message="No."
    )

    with connection.cursor() as cursor:
        cursor.execute(deletion)

    found = ScheduledJob.objects.select_related("template", "genotype_file").first()
    assert ScheduledExecution.objects.exists() == (left is not None)
    if left is None:
        assert found is None
    else:
        assert found is not None
        assert {name: getattr(found, name) for name in left} == left


@pytest.mark.parametrize(
    "change",
    [
        "name = ''",
        "schedule_type = 'hourly'",
        "recurrence_interval = 0",
        "max_executions = 0",
        "execution_count = -1",
        "is_active = false",
        "next_execution = NULL",
        "inactive_because = 'Paused.'",
    ],
)
def test_database_refuses_what_is_no_schedule(change):
    schedule = ScheduledJob.objects.create(
        user=make_user(),
        name="Once",
        schedule_type="once",
        scheduled_time=FIRST,
        is_active=True,
        next_execution=FIRST,
    )

    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE imputation_scheduledjob SET {change} WHERE id = %s", [schedule.pk])  # noqa: S608
