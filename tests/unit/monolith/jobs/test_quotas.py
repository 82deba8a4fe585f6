"""How many jobs a user may submit: counted with each job, and refused beyond."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Barrier

import pytest
from django.db import connections, transaction
from django.test import Client

from federated_imputation.monolith.accounts.models import UserProfile, UserServiceAccess
from federated_imputation.monolith.accounts.operations import QuotaExceeded, reserve_jobs
from federated_imputation.monolith.accounts.quotas import next_month
from federated_imputation.monolith.jobs.models import ImputationJob
from federated_imputation.monolith.jobs.operations import cancel_job, retry_job
from tests.factories import make_panel, make_service, make_user
from tests.job_world import ORIGIN, PANEL, upload

pytestmark = pytest.mark.django_db
LAST_OF_MARCH = datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)
FIRST_OF_APRIL = datetime(2026, 4, 1, 0, 0, 0, tzinfo=UTC)


@pytest.fixture
def ada():
    return make_user("ada", role="researcher")


@pytest.fixture
def panel():
    return make_panel(make_service(), PANEL)


def limit(user, **fields):
    UserProfile.objects.filter(user=user).update(**fields)


def used(user):
    return UserProfile.objects.get(user=user).monthly_jobs_used


def submit(user, panel):
    client = Client()
    client.force_login(user)
    form = {
        "name": "Study",
        "service": panel.service_id,
        "reference_panel": panel.pk,
        "input_file": upload(),
        "user_token": "a-users-own-token",
    }
    return client.post("/api/jobs/", form)


def reserve(user, services, *, now):
    with transaction.atomic():
        reserve_jobs(user_id=user.pk, services=services, now=now)


def stored(root):
    return [path for path in Path(root).rglob("*") if path.is_file()]


def test_job_counts_in_the_month_and_at_the_service(ada, panel):
    access = UserServiceAccess.objects.create(user=ada, service=panel.service)

    assert submit(ada, panel).status_code == 201

    access.refresh_from_db()
    assert (used(ada), access.quota_used) == (1, 1)
    assert access.last_used is not None


def test_job_beyond_the_month_is_refused_and_leaves_nothing(ada, panel, settings):
    limit(ada, monthly_job_limit=1)
    assert submit(ada, panel).status_code == 201
    before = stored(settings.DATA_ROOT)

    answer = submit(ada, panel)

    assert answer.status_code == 403
    told = answer.json()
    assert told["code"] == "quota_exceeded"
    assert told["detail"].startswith("You have submitted 1 of the 1 jobs that you may submit in ")
    assert "begins anew on 1 " in told["detail"]
    assert (ImputationJob.objects.count(), used(ada)) == (1, 1)
    assert stored(settings.DATA_ROOT) == before


def test_job_beyond_the_quota_of_a_service_is_refused_and_does_not_count(ada, panel):
    UserServiceAccess.objects.create(
        user=ada, service=panel.service, quota_limit=5, quota_used=5, last_used=None
    )

    answer = submit(ada, panel)

    assert (answer.status_code, answer.json()["code"]) == (403, "quota_exceeded")
    assert "5 of the 5 jobs that you may submit to AFR node" in answer.json()["message"]
    assert used(ada) == 0
    access = UserServiceAccess.objects.get()
    assert (access.quota_used, access.last_used) == (5, None)


def test_quota_of_one_user_and_service_is_not_that_of_another(ada, panel):
    other = make_user("carol", role="researcher")
    elsewhere = make_panel(make_service("West"), PANEL)
    limit(other, monthly_job_limit=0)
    UserServiceAccess.objects.create(user=ada, service=elsewhere.service, quota_limit=0)
    UserServiceAccess.objects.create(user=other, service=panel.service, quota_limit=0)

    assert submit(ada, panel).status_code == 201
    assert submit(other, elsewhere).status_code == 403


@pytest.mark.parametrize("role", ["admin", "researcher"])
def test_limit_holds_for_everybody_who_has_one(panel, role):
    user = make_user(f"a-{role}", role=role, is_superuser=role == "admin")
    limit(user, monthly_job_limit=0)
    assert submit(user, panel).status_code == 403


def test_user_without_a_profile_and_without_access_rows_is_not_limited(panel):
    user = make_user("carol")
    assert [submit(user, panel).status_code for _ in range(11)] == [201] * 11


def test_month_begins_anew_without_anybody_doing_anything(ada):
    limit(ada, monthly_job_limit=2)
    reserve(ada, [1, 1], now=LAST_OF_MARCH)
    with pytest.raises(QuotaExceeded, match=r"in March 2026, .* anew on 1 April 2026, 00:00 UTC"):
        reserve(ada, [1], now=LAST_OF_MARCH)

    reserve(ada, [1], now=FIRST_OF_APRIL)

    assert used(ada) == 1


def test_clock_that_is_behind_does_not_turn_the_month_back(ada):
    limit(ada, monthly_job_limit=2)
    reserve(ada, [1], now=FIRST_OF_APRIL)
    reserve(ada, [1], now=LAST_OF_MARCH)
    with pytest.raises(QuotaExceeded):
        reserve(ada, [1], now=FIRST_OF_APRIL)


def test_number_of_the_legacy_system_counts_in_the_first_month(ada):
    limit(ada, monthly_job_limit=10, monthly_jobs_used=9, jobs_counted_in=None)
    with pytest.raises(QuotaExceeded, match="9 of the 10"):
        reserve(ada, [1, 1], now=LAST_OF_MARCH)
    reserve(ada, [1], now=LAST_OF_MARCH)
    reserve(ada, [1] * 10, now=FIRST_OF_APRIL)


@pytest.mark.parametrize("end", [-(2**31), 2**31 - 1])
def test_odd_numbers_of_the_legacy_system_are_answered(ada, panel, end):
    limit(ada, monthly_job_limit=end, monthly_jobs_used=end)
    UserServiceAccess.objects.create(
        user=ada, service=panel.service, quota_limit=None, quota_used=end
    )
    assert submit(ada, panel).status_code == 403
    limit(ada, monthly_job_limit=10, monthly_jobs_used=0)
    assert submit(ada, panel).status_code == 201


def test_jobs_of_one_request_are_reserved_all_or_none(ada):
    services = [make_service(name) for name in ("East", "North", "West")]
    UserServiceAccess.objects.create(user=ada, service=services[1], quota_limit=1)
    UserServiceAccess.objects.create(user=ada, service=services[2], quota_limit=3)
    east, north, west = (service.pk for service in services)

    with pytest.raises(QuotaExceeded, match="to North, and this asks for 2 more"):
        reserve(ada, [west, north, north, east], now=LAST_OF_MARCH)
    assert used(ada) == 0
    reserve(ada, [west, north, west], now=LAST_OF_MARCH)

    assert used(ada) == 3
    quotas = UserServiceAccess.objects.order_by("service_id").values_list("quota_used", flat=True)
    assert sorted(quotas) == [1, 2]


def test_retry_is_the_same_job_and_cancellation_gives_nothing_back(ada, panel):
    limit(ada, monthly_job_limit=1)
    submit(ada, panel)
    job = ImputationJob.objects.get()
    what = {"user_id": ada.pk, "origin": ORIGIN, "now": LAST_OF_MARCH}

    cancel_job(job.pk, **what)
    assert submit(ada, panel).status_code == 403
    retry_job(job.pk, **what)

    assert used(ada) == 1


def test_profile_tells_the_jobs_of_this_month_only(ada):
    limit(ada, monthly_jobs_used=7, jobs_counted_in=date(2026, 3, 1))
    client = Client()
    client.force_login(ada)
    path = f"/api/profiles/{ada.profile.pk}/"

    read = client.get(path).json()
    kept = client.put(path, {**read, "country": "Chad"}, "application/json")

    assert read["monthly_jobs_used"] == 0
    assert (kept.status_code, kept.json()["monthly_jobs_used"]) == (200, 0)


def test_number_that_an_administrator_writes_counts_in_this_month(ada):
    limit(ada, monthly_jobs_used=4, jobs_counted_in=date(2026, 3, 1))
    client = Client()
    client.force_login(make_user("boss", role="admin"))

    answer = client.patch(
        f"/api/profiles/{ada.profile.pk}/", {"monthly_jobs_used": 4}, "application/json"
    )

    assert answer.json()["monthly_jobs_used"] == 4
    assert used(ada) == 4


@pytest.mark.django_db(transaction=True)
def test_of_twenty_submissions_at_once_as_many_succeed_as_are_left(ada, panel):
    limit(ada, monthly_job_limit=10, monthly_jobs_used=7)
    UserServiceAccess.objects.create(user=ada, service=panel.service, quota_limit=100)
    together = Barrier(20)

    def one(_):
        together.wait(timeout=60)
        try:
            return submit(ada, panel).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(20) as pool:
        answers = sorted(pool.map(one, range(20)))

    assert answers == [201] * 3 + [403] * 17
    assert ImputationJob.objects.count() == 3
    assert used(ada) == 10
    assert UserServiceAccess.objects.get().quota_used == 3


@pytest.mark.parametrize(
    ("month", "after"),
    [
        (date(2026, 1, 1), date(2026, 2, 1)),
        (date(2026, 11, 1), date(2026, 12, 1)),
        (date(2026, 12, 1), date(2027, 1, 1)),
    ],
)
def test_months_follow_each_other(month, after):
    assert next_month(month) == after
