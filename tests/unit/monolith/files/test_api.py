"""Downloads of result files, over ASGI as they are served."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client

from federated_imputation.monolith.files.models import ResultFile
from federated_imputation.monolith.files.operations import file_type_of, forget_results
from federated_imputation.monolith.files.queries import stored_paths
from tests.factories import make_job, make_panel, make_service, make_user

pytestmark = pytest.mark.django_db(transaction=True)
CONTENT = bytes(range(256)) * 4096


@pytest.fixture(autouse=True)
def root(settings, tmp_path: Path) -> Path:
    settings.DATA_ROOT = str(tmp_path)
    return tmp_path


@pytest.fixture
def ada():
    return make_user("ada")


@pytest.fixture
def panel():
    return make_panel(make_service())


def stored(root: Path, user, panel, **fields) -> ResultFile:
    job = make_job(user, panel)
    path = f"results/{job.pk}/1/abc-chr_20.zip"
    (root / path).parent.mkdir(parents=True)
    (root / path).write_bytes(CONTENT)
    values = {
        "file_type": "imputed_data",
        "filename": "output/chr_20.zip",
        "file_path": path,
        "file_size": len(CONTENT),
        "checksum": sha256(CONTENT).hexdigest(),
    }
    return job.files.create(**{**values, **fields})


def download(user, path: str, **headers: str):
    """Status, headers and body as an ASGI server would send them."""

    async def ask():
        client = AsyncClient()
        await client.aforce_login(user)
        response: Any = await client.get(path, headers=headers)
        if response.streaming:
            body = b"".join([block async for block in response.streaming_content])
        else:
            body = response.content
        return response, body

    return async_to_sync(ask)()


@pytest.mark.parametrize(
    "form", ["/api/result-files/{id}/download/", "/api/jobs/{job}/files/{id}/download/"]
)
def test_download_is_the_file(root, ada, panel, form):
    file = stored(root, ada, panel)

    response, body = download(ada, form.format(id=file.pk, job=file.job_id))

    assert response.status_code == 200
    assert body == CONTENT
    assert response.headers["ETag"] == f'"{file.checksum}"'
    assert response.headers["Content-Length"] == str(len(CONTENT))
    assert response.headers["Content-Disposition"] == 'attachment; filename="chr_20.zip"'
    assert response.is_async


def test_download_goes_on_where_it_broke(root, ada, panel):
    file = stored(root, ada, panel)
    path = f"/api/result-files/{file.pk}/download/"

    response, body = download(ada, path, Range="bytes=1000-", **{"If-Range": f'"{file.checksum}"'})

    assert response.status_code == 206
    assert response.headers["Content-Range"] == f"bytes 1000-{len(CONTENT) - 1}/{len(CONTENT)}"
    assert body == CONTENT[1000:]


def test_range_behind_the_end_is_416(root, ada, panel):
    file = stored(root, ada, panel)

    response, _ = download(ada, f"/api/result-files/{file.pk}/download/", Range="bytes=9999999-")

    assert response.status_code == 416
    assert response.headers["Content-Range"] == f"bytes */{len(CONTENT)}"


def test_head_tells_the_size_without_the_bytes(root, ada, panel):
    file = stored(root, ada, panel)
    client = Client()
    client.force_login(ada)

    response = client.head(f"/api/result-files/{file.pk}/download/")

    assert response.status_code == 200
    assert response.headers["Content-Length"] == str(len(CONTENT))


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        ("application/json", True),
        ("application/json, text/plain, */*", True),
        ("*/*", False),
        ("application/octet-stream", False),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
    ],
)
def test_legacy_clients_that_ask_for_json_get_the_link(root, ada, panel, accept, is_json):
    file = stored(root, ada, panel)
    path = f"/api/result-files/{file.pk}/download/"

    response, body = download(ada, path, Accept=accept)

    if is_json:
        assert response.json() == {
            "download_url": path,
            "filename": "chr_20.zip",
            "file_size": len(CONTENT),
        }
    else:
        assert body == CONTENT


@pytest.mark.parametrize(
    "fields",
    [
        {"is_available": False},
        {"file_path": ""},
        {"file_path": "results/elsewhere"},
        {"file_path": "../../etc/passwd"},
    ],
)
def test_file_whose_bytes_are_gone_is_404(root, ada, panel, fields):
    file = stored(root, ada, panel, **fields)

    response, _ = download(ada, f"/api/result-files/{file.pk}/download/")

    assert response.status_code == 404


@pytest.mark.parametrize("role", [None, "researcher", "admin"])
def test_nobody_else_gets_the_file(root, ada, panel, role):
    file = stored(root, ada, panel)
    other = make_user("bob", role=role)

    for path in (
        f"/api/result-files/{file.pk}/",
        f"/api/result-files/{file.pk}/download/",
        f"/api/jobs/{file.job_id}/files/{file.pk}/download/",
    ):
        response, body = download(other, path)
        assert response.status_code == 404
        assert CONTENT[:100] not in body


def test_file_of_another_job_is_404_below_this_one(root, ada, panel):
    file = stored(root, ada, panel)
    other = make_job(ada, panel)

    response, _ = download(ada, f"/api/jobs/{other.pk}/files/{file.pk}/download/")

    assert response.status_code == 404


def test_paths_that_a_job_has_are_of_its_own_files_that_are_here(root, ada, panel):
    file = stored(root, ada, panel)
    file.job.files.create(file_path="results/gone", file_size=1, is_available=False)
    stored(root, ada, panel)

    assert stored_paths(job_id=file.job_id) == {file.file_path}


def test_job_shows_and_loses_its_own_files(root, ada, panel):
    first, second = stored(root, ada, panel), stored(root, ada, panel)
    client = Client()
    client.force_login(ada)

    shown = client.get(f"/api/jobs/{first.job_id}/files/").json()
    assert [file["id"] for file in shown] == [first.pk]

    assert forget_results(job_id=first.job_id) == 1
    assert list(ResultFile.objects.all()) == [second]


def test_list_is_the_callers_own(root, ada, panel):
    file = stored(root, ada, panel)
    stored(root, make_user("bob"), panel)
    client = Client()
    client.force_login(ada)

    page = client.get("/api/result-files/").json()

    assert [entry["id"] for entry in page["results"]] == [file.pk]
    assert page["results"][0]["download_url"] == f"/api/result-files/{file.pk}/download/"
    assert "file_path" not in page["results"][0]
    assert client.get(f"/api/result-files/{file.pk}/").json() == page["results"][0]


@pytest.mark.parametrize(
    ("name", "output", "kind"),
    [
        ("chr_20.zip", "output", "imputed_data"),
        ("chr20.dose.vcf.gz", "output", "imputed_data"),
        ("quality-control.html", "output", "quality_report"),
        ("qc_report.txt", "output", "quality_report"),
        ("statistics/snps-excluded.txt", "output", "summary"),
        ("step1-nextflow.log", "cloudgene_logs", "log_file"),
        ("step1-report.html", "cloudgene_logs", "log_file"),
        ("chr_20.zip.md5", "output", "metadata"),
    ],
)
def test_kind_of_a_file_follows_from_its_name(name, output, kind):
    assert file_type_of(name, output=output) == kind
