"""Submissions that come twice under one key."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from federated_imputation.monolith.accounts.models import StoredAnswer
from federated_imputation.monolith.accounts.operations.sweep import sweep_expired
from federated_imputation.monolith.jobs.models import ImputationJob, ParentJob
from federated_imputation.monolith.jobs.plans.models import JobBatch, JobTemplate
from tests.factories import make_panel, make_service, make_user
from tests.job_world import PANEL, upload
from tests.unit.monolith.jobs.plans_world import client_of, put_file

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE = 60.0
TOKEN = "a-users-own-token"


@pytest.fixture
def ada():
    return make_user("ada")


@pytest.fixture
def panels():
    return [make_panel(make_service(name), PANEL) for name in ("AFR node", "EUR node")]


def submit(user, panel, *, key: str | None = "a-key-of-the-client", **fields):
    client = Client()
    client.force_login(user)
    form = {
        "name": "Study",
        "service": panel.service_id,
        "reference_panel": panel.pk,
        "user_token": TOKEN,
        "input_file": upload(),
    }
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post("/api/jobs/", {**form, **fields}, headers=headers)


def submit_study(user, panels, *, key: str = "a-key-of-the-client"):
    client = Client()
    client.force_login(user)
    targets = [
        {"service": panel.service_id, "reference_panel": panel.pk, "user_token": TOKEN}
        for panel in panels
    ]
    form = {"name": "Study", "input_file": upload(), "targets": json.dumps(targets)}
    return client.post("/api/jobs/multi_service/", form, headers={"Idempotency-Key": key})


def at_once(act: Callable[[], Any], times: int) -> list[Any]:
    together = threading.Barrier(times)
    found: list[Any] = []

    def run() -> None:
        try:
            together.wait(PATIENCE)
            found.append(act())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    return found


def test_job_that_is_asked_for_twice_is_made_once(ada, panels):
    first, second = submit(ada, panels[0]), submit(ada, panels[0])

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert ImputationJob.objects.count() == 1


def test_study_that_is_asked_for_twice_is_made_once(ada, panels):
    first, second = submit_study(ada, panels), submit_study(ada, panels)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert ParentJob.objects.count() == 1


@pytest.fixture
def template(ada, panels):
    return JobTemplate.objects.create(
        user=ada, name="Settings", service=panels[0].service, reference_panel=panels[0]
    )


def use(user, template, *, key: str = "a-key-of-the-client", **fields):
    form = {"name": "Study", "user_token": TOKEN, "input_file": upload(), **fields}
    path = f"/api/templates/{template.pk}/use/"
    return client_of(user).post(path, form, headers={"Idempotency-Key": key})


def submit_batch(user, panel, files, *, key: str = "a-key-of-the-client", **fields):
    body = {
        "name": "Cohort",
        "service": panel.service_id,
        "reference_panel": panel.pk,
        "user_token": TOKEN,
        "genotype_files": files,
    }
    return client_of(user).post(
        "/api/batches/",
        {**body, **fields},
        content_type="application/json",
        headers={"Idempotency-Key": key},
    )


def test_template_that_is_used_twice_under_one_key_makes_one_job(ada, template):
    first, second = use(ada, template), use(ada, template)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert ImputationJob.objects.count() == 1
    template.refresh_from_db()
    assert template.usage_count == 1
    assert use(ada, template, name="Another").status_code == 422


def test_use_is_answered_again_when_the_template_is_gone(ada, template):
    first = use(ada, template)
    JobTemplate.objects.all().delete()

    assert use(ada, template).json() == first.json()
    assert use(ada, template, key="another-key").status_code == 404


def test_use_at_once_under_one_key_is_one_job(ada, template):
    answers = at_once(lambda: use(ada, template), times=4)

    assert [answer.status_code for answer in answers] == [201] * 4
    assert len({answer.content for answer in answers}) == 1
    assert ImputationJob.objects.count() == 1


def test_batch_that_is_asked_for_twice_is_made_once(ada, panels):
    files = [put_file(client_of(ada), name) for name in ("one.vcf.gz", "two.vcf.gz")]

    first, second = (submit_batch(ada, panels[0], files) for _ in range(2))

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert (JobBatch.objects.count(), ImputationJob.objects.count()) == (1, 2)
    assert submit_batch(ada, panels[0], files[:1]).status_code == 422


def test_refused_batch_leaves_its_key_free(ada, panels):
    files = [put_file(client_of(ada))]

    assert submit_batch(ada, panels[0], files, build="hg18").status_code == 400
    assert submit_batch(ada, panels[0], files).status_code == 201


def test_without_a_key_each_request_is_one(ada, panels):
    assert submit(ada, panels[0], key=None).json() != submit(ada, panels[0], key=None).json()
    assert not StoredAnswer.objects.exists()


@pytest.mark.parametrize(
    "change",
    [{"name": "Other"}, {"input_file": upload(content=b"")}, {"user_token": "another-token"}],
)
def test_another_body_under_the_same_key_is_refused(ada, panels, change):
    submit(ada, panels[0])

    answer = submit(ada, panels[0], **change)

    assert answer.status_code == 422
    assert "another request" in answer.json()["detail"]
    assert ImputationJob.objects.count() == 1


def test_key_is_its_users_own_and_for_one_path(ada, panels):
    bob = make_user("bob")

    answers = [submit(ada, panels[0]), submit(bob, panels[0]), submit_study(ada, panels)]

    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert not any("Idempotent-Replayed" in answer.headers for answer in answers)


def test_refused_request_leaves_its_key_free(ada, panels):
    assert submit(ada, panels[0], build="hg18").status_code == 400

    assert submit(ada, panels[0]).status_code == 201


def test_requests_at_once_are_one_job_with_one_answer(ada, panels):
    answers = at_once(lambda: submit(ada, panels[0]), times=4)

    assert [answer.status_code for answer in answers] == [201] * 4
    assert len({answer.content for answer in answers}) == 1
    assert ImputationJob.objects.count() == 1


def test_key_is_forgotten_after_a_day(ada, panels):
    submit(ada, panels[0])
    StoredAnswer.objects.update(created_at=timezone.now() - timedelta(hours=25))

    assert "Idempotent-Replayed" not in submit(ada, panels[0]).headers
    assert ImputationJob.objects.count() == 2
    StoredAnswer.objects.update(created_at=timezone.now() - timedelta(hours=25))
    sweep_expired(now=timezone.now())
    assert not StoredAnswer.objects.exists()


@pytest.mark.parametrize("key", ["", "with space", "x" * 256])
def test_key_that_does_not_fit_is_refused(ada, panels, key):
    answer = submit(ada, panels[0], key=key)

    assert answer.status_code == 400
    assert "1 to 255" in answer.json()["Idempotency-Key"][0]


def test_neither_key_nor_answer_can_be_read_in_the_table(ada, panels):
    answer = submit(ada, panels[0], key="a-key-that-nobody-guesses")

    row = StoredAnswer.objects.get()
    told = f"{row.key} {row.digest} {row.encrypted}"
    assert "a-key-that-nobody-guesses" not in told
    assert answer.json()["id"] not in told
