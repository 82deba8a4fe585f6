"""What the times of schedules bring: one job each, whatever crashes, or the reason why not."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction

from federated_imputation.monolith.accounts.models import AuditLog, UserProfile
from federated_imputation.monolith.files.models import GenotypeFile
from federated_imputation.monolith.jobs.models import ImputationJob
from federated_imputation.monolith.jobs.plans.models import (
    MOST_REFUSALS,
    JobTemplate,
    ScheduledExecution,
    ScheduledJob,
)
from federated_imputation.monolith.jobs.plans.operations.executions import (
    claim_due_schedules,
    execute_due,
)
from federated_imputation.monolith.registry.models import ReferencePanel
from tests.factories import make_user
from tests.unit.monolith.jobs.plans_world import client_of, new_panel, put_file, put_template, send

pytestmark = pytest.mark.django_db
FIRST = datetime(2035, 3, 24, 1, 0, tzinfo=UTC)  # 02:00 in Paris, the day before summer time
DAY = timedelta(days=1)


@pytest.fixture
def ada():
    return make_user("ada", role="researcher")


@pytest.fixture
def client(ada):
    return client_of(ada)


@pytest.fixture
def body(client):
    return {
        "name": "Nightly",
        "template": put_template(client, new_panel()),
        "genotype_file": put_file(client),
        "schedule_type": "daily",
        "scheduled_time": FIRST.isoformat(),
        "time_zone": "Europe/Paris",
    }


@pytest.fixture
def schedule(client, body):
    return new_schedule(client, body)


def new_schedule(client, body, **changes):
    made = send(client, "/api/scheduled/", {**body, **changes})
    assert made.status_code == 201, made.content
    return ScheduledJob.objects.get(pk=made.json()["id"])


def tick(now):
    """What the tick and the workers do at `now`."""
    return [execute_due(schedule_id, now=now) for schedule_id in claim_due_schedules(now=now)]


def history(client, schedule):
    return client.get(f"/api/scheduled/{schedule.pk}/executions/").json()["results"]


def test_schedule_makes_a_job_when_it_is_due_and_not_before(client, schedule, ada):
    assert tick(FIRST - timedelta(seconds=1)) == []

    assert len(tick(FIRST)) == 1

    schedule.refresh_from_db()
    job = ImputationJob.objects.get()
    assert (job.name, job.user) == ("Nightly 2035-03-24 02:00", ada)
    assert schedule.next_execution == datetime(2035, 3, 25, 1, 0, tzinfo=UTC)
    assert (schedule.execution_count, schedule.last_execution) == (1, FIRST)
    (row,) = history(client, schedule)
    assert (row["outcome"], row["job"], row["missed"]) == ("submitted", str(job.pk), 0)
    assert JobTemplate.objects.get().usage_count == 1
    assert tick(FIRST) == []
    made = AuditLog.objects.get(action="create_job")
    assert made.user_agent == f"schedule {schedule.pk}"


def test_time_of_day_stays_when_the_clock_is_moved(schedule):
    for now in (FIRST, FIRST + DAY, FIRST + 2 * DAY):
        tick(now)

    names = ImputationJob.objects.order_by("created_at").values_list("name", flat=True)
    assert list(names) == [
        "Nightly 2035-03-24 02:00",
        "Nightly 2035-03-25 03:00",  # 02:00 is left out that night
        "Nightly 2035-03-26 02:00",
    ]


def test_times_that_passed_while_nothing_ran_bring_one_job(client, schedule):
    now = FIRST + 3 * DAY + timedelta(hours=5)

    tick(now)
    tick(now + timedelta(minutes=1))

    assert ImputationJob.objects.count() == 1
    (row,) = history(client, schedule)
    assert row["missed"] == 3
    assert "3 more of its times passed" in row["message"]
    schedule.refresh_from_db()
    assert now < schedule.next_execution <= now + DAY


def test_schedule_is_over_after_its_last_execution(client, body):
    twice = new_schedule(client, body, max_executions=2)
    once = new_schedule(client, body, schedule_type="once")

    for number in range(4):
        tick(FIRST + number * DAY)

    twice.refresh_from_db()
    once.refresh_from_db()
    assert (twice.execution_count, twice.is_active) == (2, False)
    assert twice.inactive_because == "It ran 2 times, as it should."
    assert (once.execution_count, once.inactive_because) == (1, "Its time is over.")


def test_paused_schedule_brings_nothing(client, schedule):
    send(client, f"/api/scheduled/{schedule.pk}/pause/")

    assert tick(FIRST + DAY) == []
    assert execute_due(schedule.pk, now=FIRST + DAY) is None


def _retire_panel():
    ReferencePanel.objects.update(is_active=False)


def _delete_template():
    JobTemplate.objects.all().delete()


def _delete_file():
    GenotypeFile.objects.all().delete()


def _deactivate_user():
    User.objects.update(is_active=False)


def _take_the_role():
    UserProfile.objects.update(role=make_user("v", role="viewer").profile.role)


def _use_quota_up():
    UserProfile.objects.update(monthly_job_limit=0)


def _give_template_away():
    JobTemplate.objects.update(user=make_user("eve"))


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (_retire_panel, "This panel is not active."),
        (_delete_template, "The template was deleted."),
        (_give_template_away, "no longer shared"),
        (_delete_file, "The genotype file was deleted."),
        (_deactivate_user, "The account is deactivated."),
        (_take_the_role, "Your role may not submit jobs."),
        (_use_quota_up, "You have submitted 0 of the 0 jobs"),
    ],
)
def test_refusal_is_recorded_with_its_sentence(schedule, trouble, told):
    trouble()

    tick(FIRST)

    assert not ImputationJob.objects.exists()
    execution = ScheduledExecution.objects.get()
    assert (execution.outcome, execution.job) == ("refused", None)
    assert told in execution.message
    schedule.refresh_from_db()
    assert (schedule.execution_count, schedule.refusals_in_a_row) == (0, 1)
    assert schedule.next_execution == datetime(2035, 3, 25, 1, 0, tzinfo=UTC)


def test_schedule_is_switched_off_after_some_refusals_in_a_row(client, schedule):
    _retire_panel()
    for number in range(MOST_REFUSALS + 2):
        tick(FIRST + number * DAY)

    told = client.get(f"/api/scheduled/{schedule.pk}/").json()
    assert (told["is_active"], told["next_execution"]) == (False, None)
    assert told["inactive_because"] == (
        f"Switched off after {MOST_REFUSALS} refusals in a row, the last: This panel is not active."
    )
    assert len(history(client, schedule)) == MOST_REFUSALS
    ReferencePanel.objects.update(is_active=True)
    resumed = send(client, f"/api/scheduled/{schedule.pk}/resume/").json()
    assert (resumed["is_active"], resumed["refusals_in_a_row"]) == (True, 0)


def test_success_between_them_lets_refusals_begin_anew(schedule):
    _retire_panel()
    tick(FIRST)
    ReferencePanel.objects.update(is_active=True)
    tick(FIRST + DAY)

    schedule.refresh_from_db()
    assert schedule.refusals_in_a_row == 0


def test_only_time_that_is_refused_ends_the_schedule_with_the_reason(client, body):
    once = new_schedule(client, body, schedule_type="once")
    _retire_panel()

    tick(FIRST)

    once.refresh_from_db()
    assert once.inactive_because == "Its only time was refused: This panel is not active."


@pytest.mark.django_db(transaction=True)
def test_two_workers_make_one_job_of_one_time(schedule):
    together = Barrier(2, timeout=60)

    def work(_):
        together.wait()
        try:
            return execute_due(schedule.pk, now=FIRST)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(work, range(2)))

    assert len([execution for execution in done if execution is not None]) == 1
    assert ImputationJob.objects.count() == ScheduledExecution.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_overlapping_ticks_announce_a_schedule_once(schedule):
    together = Barrier(2, timeout=60)

    def announce(_):
        together.wait()
        try:
            return claim_due_schedules(now=FIRST)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        announced = [one for each in pool.map(announce, range(2)) for one in each]
    assert announced == [schedule.pk]


def test_schedule_whose_message_is_lost_is_announced_again(schedule, settings):
    assert claim_due_schedules(now=FIRST) == [schedule.pk]
    assert claim_due_schedules(now=FIRST + timedelta(seconds=1)) == []
    later = FIRST + timedelta(seconds=settings.JOB_DISPATCH_SECONDS)
    assert claim_due_schedules(now=later) == [schedule.pk]


class Crash(BaseException):
    """The end of a worker."""


@pytest.mark.django_db(transaction=True)
def test_crash_between_any_two_statements_leaves_exactly_one_job(schedule):
    def dies_before(statement):
        seen = 0

        def counted(execute, sql, params, many, context):
            nonlocal seen
            seen += 1
            if seen == statement:
                raise Crash
            return execute(sql, params, many, context)

        return counted

    crashes = 0
    while ScheduledJob.objects.get().next_execution == FIRST:
        with connection.execute_wrapper(dies_before(crashes + 1)):
            try:
                execute_due(schedule.pk, now=FIRST)
            except Crash:
                crashes += 1
        assert ImputationJob.objects.count() == ScheduledExecution.objects.count() <= 1

    assert crashes > 10
    assert ImputationJob.objects.count() == 1
    assert ScheduledJob.objects.get().execution_count == 1


def test_database_holds_one_execution_for_one_time(schedule):
    tick(FIRST)

    with pytest.raises(IntegrityError), transaction.atomic():
        ScheduledExecution.objects.create(
            schedule=schedule, due_at=FIRST, executed_at=FIRST, outcome="submitted"
        )


def test_time_that_was_answered_is_not_due_again_for_a_clock_that_is_late(client, schedule):
    """The schedule ran in 2035 by the worker's clock; the server's says that is to come."""
    tick(FIRST)
    send(client, f"/api/scheduled/{schedule.pk}/pause/")

    resumed = send(client, f"/api/scheduled/{schedule.pk}/resume/").json()

    assert datetime.fromisoformat(resumed["next_execution"]) == FIRST + DAY


def test_job_that_is_deleted_stays_in_the_history(client, schedule):
    tick(FIRST)

    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM imputation_jobwork")
        cursor.execute("DELETE FROM imputation_jobstatusupdate")
        cursor.execute("DELETE FROM imputation_imputationjob")

    (row,) = history(client, schedule)
    assert (row["outcome"], row["job"]) == ("submitted", None)
