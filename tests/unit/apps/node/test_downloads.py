"""Downloads beyond the counted link, which is in `test_traps`."""

import pytest

from apps.node import workspaces
from apps.node.models import Output, OutputFile
from tests.unit.apps.node.scenes import FILES, Scene, finished_job

pytestmark = pytest.mark.django_db
SAMPLE = "statistics/snps-excluded.txt"


@pytest.fixture
def file(amina) -> OutputFile:
    finished_job(amina.submitted())
    return OutputFile.objects.select_related("output").get(path=SAMPLE)


def test_the_owner_downloads_by_job(amina, account, download, file):
    path = f"/downloads/{file.output.job_id}/{file.hash}/{file.path}"
    mine = {"X-Auth-Token": amina.api_token}
    assert download(path, headers=mine).content == FILES[SAMPLE]
    assert download(path).status == 401
    other = {"X-Auth-Token": account("bilal").api_token}
    assert download(path, headers=other).status == 403
    second = finished_job(amina.submitted())
    wrong = f"/downloads/{second.pk}/{file.hash}/{file.path}"
    assert download(wrong, headers=mine).status == 404
    file.refresh_from_db()
    assert file.count == 9


def test_browsing_spends_a_download_and_runs_nothing(amina, download):
    scene = Scene(amina.submitted())
    page = scene.offer("quality-control.html", b"<script>alert(1)</script>")
    answer = download(f"/browse/{page.output.hash}/quality-control.html")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    page.refresh_from_db()
    assert page.count == 9


def test_other_downloads_are_attachments(download, file):
    answer = download(f"/browse/{file.output.hash}/{file.path}")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="snps-excluded.txt"'


def test_the_script_downloads_every_file(amina, download, file):
    script = download(f"/get/{file.output.hash}").content.decode()
    assert script.startswith("#!/bin/bash\n")
    for each in OutputFile.objects.filter(output=file.output):
        assert f"http://testserver/share/results/{each.hash}/{each.path}" in script
        assert f"-o {each.path}" in script
    assert download(f"/get/{'0' * 64}").status == 404


def test_a_file_that_is_gone_or_a_link_is_refused_and_costs_nothing(amina, download, file):
    place = workspaces.find_file(file.output.job_id, "output", file.path)
    place.unlink()
    path = f"/share/results/{file.hash}/{file.path}"
    assert download(path).json()["message"] == "File not found in workspace."
    place.symlink_to("/etc/passwd")
    assert download(path).status == 404
    file.refresh_from_db()
    assert file.count == 10


@pytest.mark.parametrize("path", ["../input/x", "/etc/passwd", "statistics", "", "a/../../input/x"])
def test_no_path_leaves_the_output_folder(amina, path):
    job = amina.submitted(files=[("x", b"x")])
    (workspaces.workspace(job.pk) / "output" / "statistics").mkdir()
    with pytest.raises((workspaces.UnsafePath, FileNotFoundError)):
        workspaces.find_file(job.pk, "output", path)


def test_an_unlimited_file_stays_unlimited(amina, download):
    scene = Scene(amina.submitted())
    file = scene.offer("a.txt", b"x", downloads=-1)
    for _ in range(3):
        assert download(f"/share/results/{file.hash}/a.txt").status == 200
    file.refresh_from_db()
    assert file.count == -1


def test_the_hash_of_a_file_opens_no_folder(download, file):
    assert download(f"/get/{file.hash}").status == 404
    assert Output.objects.exclude(hash=file.hash).exists()
