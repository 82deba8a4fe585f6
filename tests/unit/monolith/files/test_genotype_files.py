"""Genotype files over the API: stored once, looked at, listed, fetched, deleted."""

from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from federated_imputation.monolith.files.models import GenotypeFile
from tests.factories import make_user
from tests.genotype_files import study

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def client():
    client = Client()
    client.force_login(make_user())
    return client


def store(client: Client, *files: SimpleUploadedFile):
    return client.post("/api/files/", {"file": list(files)})


def stored_bytes(root: Path) -> list[bytes]:
    return [path.read_bytes() for path in root.rglob("genotypes/*") if path.is_file()]


def test_upload_is_stored_and_told(client, root):
    answer = store(client, study())

    assert answer.status_code == 201, answer.content
    shown = answer.json()
    assert (shown["name"], shown["format"]) == ("study.vcf.gz", "vcf.gz")
    assert client.get("/api/files/").json()["results"] == [shown]
    assert client.get(f"/api/files/{shown['id']}/").json() == shown
    assert len(stored_bytes(root)) == 1


def test_same_upload_is_stored_once(client, root):
    first = store(client, study())

    again = store(client, study())

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert len(stored_bytes(root)) == 1
    assert GenotypeFile.objects.count() == 1
