"""Batches: several stored files sent at once, all or none, and what their jobs make of them."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations_with_replacement
from threading import Barrier
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from federated_imputation.monolith.accounts.models import AuditLog, UserProfile
from federated_imputation.monolith.files.models import GenotypeFile
from federated_imputation.monolith.jobs.models import ImputationJob, JobWork
from federated_imputation.monolith.jobs.plans.decisions import batch_status
from federated_imputation.monolith.jobs.plans.models import BatchJob, JobBatch, JobTemplate
from federated_imputation.monolith.jobs.states import Status
from federated_imputation.monolith.registry.models import ReferencePanel
from tests.deletion_scene import finish_deletions
from tests.factories import make_job, make_user
from tests.genotype_files import vcf
from tests.locks import waiting_for_a_lock
from tests.unit.monolith.jobs.plans_world import (
    client_of,
    new_panel,
    put_file,
    put_template,
    send,
    somebody,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def panel():
    return new_panel(populations=["afr"])


@pytest.fixture
def ada():
    return make_user("ada", role="researcher")


@pytest.fixture
def client(ada):
    return client_of(ada)


@pytest.fixture
def template_id(client, panel):
    return put_template(client, panel, build="hg19", description="Ours")


def put_files(client, *names):
    return [put_file(client, name) for name in names or ("one.vcf.gz", "Two.VCF.GZ")]


def submit(client, files, **fields):
    return send(client, "/api/batches/", {"name": "Cohort", "genotype_files": files, **fields})


def jobs_of(client, batch_id):
    return client.get(f"/api/batches/{batch_id}/jobs/").json()["results"]


def end(status, *, of=None):
    """Let jobs end as if their services had said so."""
    found = ImputationJob.objects.all() if of is None else ImputationJob.objects.filter(pk__in=of)
    JobWork.objects.filter(job__in=found).update(phase="done", next_poll_at=None)
    found.update(status=status)


def test_batch_is_a_job_of_each_file_named_after_it(client, template_id):
    made = submit(client, put_files(client), template=template_id, build="hg38")

    assert made.status_code == 201, made.content
    told = made.json()
    assert (told["status"], told["total_jobs"]) == ("pending", 2)
    assert told["jobs_by_status"]["pending"] == 2
    assert told["template"] == template_id
    jobs = jobs_of(client, told["id"])
    assert [(job["name"], job["build"], job["description"]) for job in jobs] == [
        ("one", "hg38", "Ours"),
        ("Two", "hg38", "Ours"),
    ]
    assert JobTemplate.objects.get().usage_count == 2
    assert client.get("/api/batches/").json()["results"][0]["id"] == told["id"]


def test_batch_needs_no_template(client, panel):
    place = {"service": panel.service_id, "reference_panel": panel.pk}

    made = submit(client, put_files(client), population="afr", description="All", **place)

    assert made.status_code == 201, made.content
    assert jobs_of(client, made.json()["id"])[0]["description"] == "All"


def test_body_that_does_not_fit_is_refused_by_field(client, panel, template_id):
    (file_id,) = put_files(client, "one.vcf.gz")
    foreign = put_file(somebody())
    hidden = put_template(somebody("eve", role="researcher"), panel)

    def errors(files, **fields):
        answer = submit(client, files, **fields)
        assert answer.status_code == 400, answer.content
        return answer.json()

    ours = {"template": template_id}
    assert "genotype_files" in errors([], **ours)
    assert "genotype_files" in errors([str(uuid4()) for _ in range(51)], **ours)
    assert errors([file_id, file_id], **ours)["genotype_files"] == ["A file is named twice."]
    for unknown in (foreign, str(uuid4())):
        told = errors([file_id, unknown], **ours)["genotype_files"]
        assert told == [f'Invalid pk "{unknown}" - object does not exist.']
    for unknown in (hidden, str(uuid4())):
        assert "does not exist" in errors([file_id], template=unknown)["template"][0]
    both = errors([file_id], template=template_id, service=panel.service_id)
    assert both["template"] == ["Name a template, or a service and a panel; not both."]
    assert set(errors([file_id])) >= {"service", "reference_panel"}
    assert not JobBatch.objects.exists()


def test_one_file_that_does_not_fit_keeps_all_from_being_sent(client, template_id):
    files = [
        *put_files(client),
        put_file(client, "x.vcf"),
        put_file(client, "y.vcf", vcf(positions=(5, 6))),
    ]

    refused = submit(client, files, template=template_id)

    assert refused.status_code == 400
    told = refused.json()["genotype_files"]
    assert [sentence.partition(":")[0] for sentence in told] == ["x.vcf", "y.vcf"]
    assert not ImputationJob.objects.exists()
    assert not JobBatch.objects.exists()
    assert JobTemplate.objects.get().usage_count == 0


def test_retired_panel_is_told_once(client, template_id):
    ReferencePanel.objects.update(is_active=False)

    refused = submit(client, put_files(client), template=template_id)

    assert refused.status_code == 400
    assert refused.json()["reference_panel"] == ["This panel is not active."]


def test_quota_is_for_all_of_a_batch_or_none(client, template_id, ada):
    UserProfile.objects.filter(user=ada).update(monthly_job_limit=1)

    refused = submit(client, put_files(client), template=template_id)

    assert (refused.status_code, refused.json()["code"]) == (403, "quota_exceeded")
    assert not ImputationJob.objects.exists()
    assert UserProfile.objects.get(user=ada).monthly_jobs_used == 0


def test_batch_is_its_owners_alone(client, template_id):
    batch_id = submit(client, put_files(client), template=template_id).json()["id"]
    admin = somebody("root", role="admin", is_superuser=True)

    assert admin.get("/api/batches/").json()["count"] == 0
    for path in ("", "jobs/"):
        assert admin.get(f"/api/batches/{batch_id}/{path}").status_code == 404
    for path in ("cancel/", "retry/"):
        assert send(admin, f"/api/batches/{batch_id}/{path}").status_code == 404
    assert admin.delete(f"/api/batches/{batch_id}/").status_code == 404
    assert client.get("/api/batches/nonsense/").status_code == 404


def test_viewer_submits_no_batch(client, template_id, ada, panel):
    files = put_files(client)
    batch_id = submit(client, files, template=template_id).json()["id"]
    end("failed")
    UserProfile.objects.filter(user=ada).update(role=make_user("v", role="viewer").profile.role)
    place = {"service": panel.service_id, "reference_panel": panel.pk}

    assert submit(client, files, template=template_id).status_code == 403
    assert submit(client, files, **place).status_code == 403
    assert send(client, f"/api/batches/{batch_id}/retry/").status_code == 403


@pytest.mark.parametrize("size", [1, 2, 3])
def test_database_says_of_a_batch_what_its_jobs_say(panel, size):
    user = make_user("ada")
    for statuses in combinations_with_replacement(Status, size):
        batch = JobBatch.objects.create(user=user, name="Cohort")
        for position, status in enumerate(statuses, 1):
            job = make_job(user, panel)
            BatchJob.objects.create(batch=batch, job=job, position=position)
            ImputationJob.objects.filter(pk=job.pk).update(status=status)

        batch.refresh_from_db()
        counts: Counter[Status] = Counter(statuses)
        assert batch.status == batch_status(counts), statuses
        told = (batch.total_jobs, batch.completed_jobs, batch.failed_jobs)
        assert told == (size, counts[Status.COMPLETED], counts[Status.FAILED])
        is_over = batch.status in {"completed", "failed", "cancelled"}
        assert (batch.completed_at is not None) == is_over
        assert (batch.started_at is not None) == (batch.status != "pending")


def test_list_is_filtered_by_status(client, template_id):
    files = put_files(client)
    first, second = (submit(client, [file], template=template_id).json()["id"] for file in files)
    end("failed", of=[jobs_of(client, first)[0]["id"]])

    def listed(status):
        return [row["id"] for row in client.get(f"/api/batches/?status={status}").json()["results"]]

    assert (listed("failed"), listed("pending"), listed("running")) == ([first], [second], [])
    assert client.get("/api/batches/?status=lost").status_code == 400


@pytest.mark.django_db(transaction=True)
def test_jobs_that_end_at_the_same_time_are_all_counted(panel):
    user = make_user("ada")
    batch = JobBatch.objects.create(user=user, name="Cohort")
    jobs = [make_job(user, panel, status="running") for _ in range(4)]
    BatchJob.objects.bulk_create(
        BatchJob(batch=batch, job=job, position=position) for position, job in enumerate(jobs, 1)
    )
    together = Barrier(len(jobs), timeout=60)

    def complete(job):
        together.wait()
        try:
            ImputationJob.objects.filter(pk=job.pk).update(status="completed")
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        list(pool.map(complete, jobs))
    batch.refresh_from_db()
    assert (batch.status, batch.completed_jobs) == ("completed", 4)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("call", "status", "answer"),
    [
        (lambda client, where: send(client, f"{where}cancel/"), "running", 202),
        (lambda client, where: send(client, f"{where}retry/"), "failed", 202),
        (lambda client, where: client.delete(where), "failed", 204),
    ],
    ids=["cancel", "retry", "delete"],
)
def test_job_that_is_deleted_meanwhile_is_passed_over(panel, call, status, answer):
    user = make_user("ada", role="researcher")
    batch = JobBatch.objects.create(user=user, name="Cohort")
    jobs = [make_job(user, panel, status=status, external_job_id="x") for _ in range(2)]
    BatchJob.objects.bulk_create(
        BatchJob(batch=batch, job=job, position=position) for position, job in enumerate(jobs, 1)
    )

    def ask():
        try:
            return call(client_of(user), f"/api/batches/{batch.pk}/")
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            jobs[0].delete()
            asked = pool.submit(ask)
            while not waiting_for_a_lock():
                assert not asked.done(), asked.result()
        answered = asked.result(60)

    assert answered.status_code == answer, answered.content


def test_cancel_ends_what_is_not_over(client, template_id):
    batch_id = submit(client, put_files(client), template=template_id).json()["id"]
    end("completed", of=[jobs_of(client, batch_id)[0]["id"]])

    cancelled = send(client, f"/api/batches/{batch_id}/cancel/")

    assert (cancelled.status_code, cancelled.json()["jobs"]) == (202, 1)
    told = client.get(f"/api/batches/{batch_id}/").json()
    assert told["status"] == "cancelled"
    assert (told["jobs_by_status"]["completed"], told["jobs_by_status"]["cancelled"]) == (1, 1)
    again = send(client, f"/api/batches/{batch_id}/cancel/")
    assert again.status_code == 400
    assert "all of them are over" in again.json()["error"]


def test_retry_takes_up_what_failed_and_nothing_else(client, template_id):
    batch_id = submit(client, put_files(client), template=template_id).json()["id"]
    first, second = (job["id"] for job in jobs_of(client, batch_id))
    assert send(client, f"/api/batches/{batch_id}/retry/").status_code == 400
    end("failed", of=[first])
    end("cancelled", of=[second])

    again = send(client, f"/api/batches/{batch_id}/retry/", {"user_token": "new"})

    assert (again.status_code, again.json()["jobs"]) == (202, 1)
    assert [job["status"] for job in jobs_of(client, batch_id)] == ["pending", "cancelled"]
    assert client.get(f"/api/batches/{batch_id}/").json()["status"] == "running"


def test_batch_is_deleted_with_its_jobs_when_it_is_over(client, template_id, ada):
    batch_id = submit(client, put_files(client), template=template_id).json()["id"]
    path = f"/api/batches/{batch_id}/"
    end("failed", of=[jobs_of(client, batch_id)[0]["id"]])

    early = client.delete(path)

    assert early.status_code == 400
    assert "cancel it first" in early.json()["error"]
    assert ImputationJob.objects.count() == 2
    end("completed")
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    finish_deletions()
    assert not ImputationJob.objects.exists()
    assert GenotypeFile.objects.count() == 2
    actions = AuditLog.objects.filter(resource_type="job_batch").order_by("id")
    assert list(actions.values_list("action", "user_id")) == [
        ("create_batch", ada.pk),
        ("delete_batch", ada.pk),
    ]


def test_job_that_is_deleted_leaves_its_batch(client, template_id):
    batch_id = submit(client, put_files(client), template=template_id).json()["id"]
    first, second = (job["id"] for job in jobs_of(client, batch_id))
    end("failed", of=[first])
    end("completed", of=[second])

    assert client.delete(f"/api/jobs/{first}/").status_code == 204
    assert [job["id"] for job in jobs_of(client, batch_id)] == [second]
    finish_deletions()

    told = client.get(f"/api/batches/{batch_id}/").json()
    assert (told["status"], told["total_jobs"], told["failed_jobs"]) == ("completed", 1, 0)


def test_template_that_is_deleted_leaves_its_batches(client, template_id):
    batch_id = submit(client, put_files(client), template=template_id).json()["id"]

    client.delete(f"/api/templates/{template_id}/")

    assert client.get(f"/api/batches/{batch_id}/").json()["template"] is None


@pytest.mark.parametrize(
    ("deletion", "batches"),
    [
        ("DELETE FROM imputation_jobtemplate", 1),
        ("DELETE FROM imputation_jobbatch", 0),
        ("DELETE FROM imputation_imputationjob", 1),
        ("DELETE FROM auth_user WHERE username = 'bob'", 0),
    ],
)
def test_database_lets_go_of_what_is_deleted(panel, deletion, batches):
    """As a process does it that knows nothing of batches."""
    ada, bob = make_user("ada"), make_user("bob")
    template = JobTemplate.objects.create(
        user=ada, name="T", service=panel.service, reference_panel=panel
    )
    batch = JobBatch.objects.create(user=bob, name="Cohort", template=template)
    BatchJob.objects.create(batch=batch, job=make_job(ada, panel), position=1)

    with connection.cursor() as cursor:
        cursor.execute(deletion)

    assert JobBatch.objects.count() == batches
    assert BatchJob.objects.count() == (batches if "jobtemplate" in deletion else 0)


@pytest.mark.parametrize(
    "change",
    ["name = ''", "status = 'lost'", "total_jobs = -1", "completed_jobs = 2", "failed_jobs = -1"],
)
def test_database_refuses_what_is_no_batch(change):
    batch = JobBatch.objects.create(user=make_user(), name="Cohort")

    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE imputation_jobbatch SET {change} WHERE id = %s", [batch.pk])  # noqa: S608
