"""What a profile tells of the storage that its user fills."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import connections, transaction
from django.test import Client

from federated_imputation.monolith.accounts.models import UserProfile
from federated_imputation.monolith.accounts.quotas import gigabytes
from federated_imputation.monolith.files import tasks
from federated_imputation.monolith.files.models import GenotypeFile, ResultFile
from federated_imputation.monolith.files.operations.storage_use import recount_storage
from federated_imputation.monolith.jobs.models import JobWork
from tests.deletion_scene import finish_deletions
from tests.factories import make_job, make_panel, make_service, make_user
from tests.genotype_files import study

pytestmark = pytest.mark.django_db(transaction=True)
GIGABYTE = 1024**3


@pytest.fixture
def ada():
    return make_user("ada", role="researcher")


@pytest.fixture
def client(ada):
    client = Client()
    client.force_login(ada)
    return client


def told(user):
    return UserProfile.objects.get(user=user).storage_used_gb


def make_file(user, number, size):
    return GenotypeFile.objects.create(
        user=user,
        name=f"{number}.vcf",
        path=f"genotypes/{number}",
        size=size,
        sha256="0" * 64,
        format="vcf",
    )


def store(client):
    return client.post("/api/files/", {"file": study()}).json()


def with_result(user, size):
    job = make_job(user, make_panel(make_service()), status="completed")
    JobWork.objects.create(job=job, phase="done")
    ResultFile.objects.create(
        job=job,
        file_type="imputed_data",
        filename="chr_20.zip",
        file_path="results/1",
        file_size=size,
    )
    return job


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (0, "0.00"),
        (1, "0.01"),
        (GIGABYTE, "1.00"),
        (GIGABYTE + 1, "1.01"),
        (2**62, "99999999.99"),
    ],
)
def test_bytes_are_told_in_gigabytes_rounded_up(stored, shown):
    assert gigabytes(stored) == Decimal(shown)


def test_profile_tells_what_is_stored_and_deleted(client, ada):
    file_id = store(client)["id"]
    profile = client.get("/api/profiles/").json()["results"][0]
    assert profile["storage_used_gb"] == "0.01"

    assert client.delete(f"/api/files/{file_id}/").status_code == 204

    assert told(ada) == 0


def test_results_count_until_their_job_is_deleted(client, ada):
    make_file(ada, 1, GIGABYTE)
    job = with_result(ada, 2 * GIGABYTE)
    recount_storage(user_id=ada.pk)
    assert told(ada) == 3

    assert client.delete(f"/api/jobs/{job.pk}/").status_code == 204
    finish_deletions()

    assert told(ada) == 1


@pytest.mark.parametrize("gone", [{"is_available": False}, {"file_path": ""}, {"file_size": None}])
def test_results_that_are_not_here_do_not_count(ada, gone):
    with_result(ada, 2 * GIGABYTE)
    ResultFile.objects.update(**gone)
    recount_storage(user_id=ada.pk)
    assert told(ada) == 0


def test_nobody_is_told_what_another_stores(ada):
    other, bare = make_user("carol", role="researcher"), make_user("bare")
    for number, user in enumerate((other, bare)):
        make_file(user, number, GIGABYTE)
        recount_storage(user_id=user.pk)
    recount_storage(user_id=ada.pk)
    assert (told(ada), told(other)) == (0, 1)


def test_number_that_a_crash_or_a_hand_left_is_mended_by_the_hour(ada):
    other = make_user("carol", role="researcher")
    make_file(ada, 1, GIGABYTE)
    UserProfile.objects.filter(user=other).update(storage_used_gb=9)

    tasks.sweep()

    assert (told(ada), told(other)) == (1, 0)


def test_of_many_changes_at_once_the_last_count_has_seen_all(ada):
    together = Barrier(8)

    def one(number):
        try:
            together.wait(timeout=60)
            with transaction.atomic():
                make_file(ada, number, GIGABYTE)
            recount_storage(user_id=ada.pk)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(8)))

    assert told(ada) == 8
