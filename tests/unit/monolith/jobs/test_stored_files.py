"""Jobs made from a file that is stored already."""

import json
from pathlib import Path
from uuid import uuid4

import pytest
from django.test import Client

from federated_imputation.monolith.jobs.models import ImputationJob
from tests.deletion_scene import finish_deletions
from tests.factories import make_panel, make_service, make_user
from tests.genotype_files import study, vcf

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def panel():
    return make_panel(make_service(api_key_required=False))


@pytest.fixture
def client():
    client = Client()
    client.force_login(make_user())
    return client


def store(client: Client, *args) -> str:
    return str(client.post("/api/files/", {"file": study(*args)}).json()["id"])


def submit(client: Client, panel, **fields):
    form = {"name": "Study", "service": panel.service_id, "reference_panel": panel.pk}
    return client.post("/api/jobs/", {**form, **fields})


def input_of(job_id: str, root: str) -> Path:
    return Path(root) / str(ImputationJob.objects.get(pk=job_id).input_file)


def test_job_has_the_bytes_of_the_stored_file(client, panel, settings):
    file_id = store(client)

    answer = submit(client, panel, genotype_file=file_id)

    assert answer.status_code == 201, answer.content
    stored = input_of(answer.json()["id"], settings.DATA_ROOT)
    assert stored.read_bytes() == study().read()
    assert client.get(f"/api/jobs/{answer.json()['id']}/").json()["input_file"] == "study.vcf.gz"


def test_end_of_the_one_is_not_the_end_of_the_other(client, panel, settings):
    file_id = store(client)
    jobs = [submit(client, panel, genotype_file=file_id).json()["id"] for _ in range(2)]
    client.post(f"/api/jobs/{jobs[0]}/cancel/")

    assert client.delete(f"/api/jobs/{jobs[0]}/").status_code == 204
    finish_deletions()
    assert client.get(f"/api/files/{file_id}/").status_code == 200
    assert client.delete(f"/api/files/{file_id}/").status_code == 204
    assert input_of(jobs[1], settings.DATA_ROOT).read_bytes() == study().read()


def test_job_needs_genotypes_from_somewhere(client, panel):
    answer = submit(client, panel)

    assert answer.status_code == 400
    assert answer.json()["input_file"] == ["This field is required."]


def test_job_takes_genotypes_from_one_place_alone(client, panel):
    answer = submit(client, panel, genotype_file=store(client), input_file=study())

    assert answer.status_code == 400
    assert answer.json()["genotype_file"] == [
        "Send either an upload or the id of a stored file, not both."
    ]


def test_job_finds_no_file_of_another(client, panel):
    other = Client()
    other.force_login(make_user("bob"))

    for file_id in (store(other), str(uuid4())):
        answer = submit(client, panel, genotype_file=file_id)
        assert answer.status_code == 400
        assert "does not exist" in answer.json()["genotype_file"][0]


def test_repair_is_named_for_a_file_that_the_service_does_not_read(client, panel):
    file_id = store(client, "study.vcf", vcf())

    answer = submit(client, panel, genotype_file=file_id)

    assert answer.status_code == 400
    assert '"bgzip"' in answer.json()["genotype_file"][0]
    assert f"/api/files/{file_id}/repairs/" in answer.json()["genotype_file"][0]


def test_json_body_names_a_stored_file(client, panel):
    body = {
        "name": "Study",
        "service": panel.service_id,
        "reference_panel": panel.pk,
        "genotype_file": store(client),
    }

    answer = client.post("/api/jobs/", json.dumps(body), content_type="application/json")

    assert answer.status_code == 201, answer.content
