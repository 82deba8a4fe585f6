"""Rows of the earlier system may name paths anywhere; only those below the data folder count."""

from pathlib import Path

import pytest

from federated_imputation.monolith.files import storage
from federated_imputation.monolith.jobs.models import ImputationJob
from tests.job_world import World
from tests.michigan_server import MichiganServer

FOREIGN = ["/srv/legacy/results/chr20.zip", "../chr20.zip", "bad\0name"]


@pytest.fixture(autouse=True)
def root(settings, tmp_path: Path) -> Path:
    settings.DATA_ROOT = str(tmp_path / "data")
    return tmp_path / "data"


@pytest.mark.parametrize("path", FOREIGN)
def test_file_outside_the_data_folder_is_not_ours_to_delete(root: Path, path: str):
    outside = root.parent / "chr20.zip"
    outside.write_bytes(b"x")
    mine = storage.store_upload([b"x"], name="a.vcf").path

    storage.remove([path, mine])

    assert outside.exists()
    assert not (root / mine).exists()


@pytest.mark.parametrize(
    "path", [*FOREIGN, "uploads/input/gone.vcf.gz", "", "results/" + "x" * 300]
)
def test_path_that_leads_to_no_file_of_ours_is_found_nowhere(path: str):
    assert storage.find(path) is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/srv/legacy/study.vcf.gz", "../study.vcf.gz"])
def test_upload_outside_the_data_folder_fails_its_job_with_that_reason(path: str):
    with MichiganServer() as server:
        world = World(server)
        job_id = world.submit()
        ImputationJob.objects.filter(pk=job_id).update(input_file=path)

        job = world.finish(job_id)

    assert job.status == "failed"
    assert "no longer here" in job.error_message
