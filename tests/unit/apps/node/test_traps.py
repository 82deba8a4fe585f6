"""What surprises clients of the real server; a client tested here must meet all of it here.

One test for each surprise, named after it. The panel that changes its version under the client and
the restart of the server are here as far as the API goes; the latter is also in `test_runner`.
"""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.node import workspaces
from apps.node.kit_panels import KIT
from apps.node.models import Job, OutputFile
from apps.node.operations import runs
from apps.node.operations.accounts import create_api_token
from apps.node.operations.jobs import set_maintenance
from apps.node.pipeline.panels import Population, write_panel
from apps.node.states import State
from tests.unit.apps.node.scenes import FILES, SERVER, Scene, finished_job

pytestmark = pytest.mark.django_db
SUBMIT = "/api/v2/jobs/submit/imputationserver2"


def job_json(account, job: Job):
    return account.get(f"/api/v2/jobs/{job.pk}").json()


@pytest.mark.parametrize("value", ["true", "false", "", "no"])
def test_presence_means_true_checkboxes(amina, value):
    job = amina.submitted(aesEncryption=value)
    assert job.parameters["aesEncryption"] is True
    assert job.parameters["meta"] is False


def test_html_escaped_text_values(amina):
    job = amina.submitted(**{"job-name": 'A & B <"é">', "population": "<x>", "input-build": "hg38"})
    assert job.name == "A &amp; B &lt;&quot;&eacute;&quot;&gt;"
    assert job.parameters["population"] == "&lt;x&gt;"
    assert job.parameters["build"] == "hg38"


@pytest.mark.parametrize("name", ["files-source", "sample", "Build"])
def test_unknown_field_400(amina, name):
    answer = amina.submit(**{name: "x"})
    assert answer.status_code == 400
    assert answer.json() == {"message": f"Parameter '{name}' not found.", "success": False}
    assert not Job.objects.exists()


@pytest.mark.parametrize("name", ["files-pattern", "unknown-pattern"])
def test_pattern_fields_are_tolerated(amina, name):
    assert amina.submit(**{name: "*.vcf.gz"}).status_code == 200


def test_get_cancel(amina):
    job = amina.submitted()
    answer = amina.get(f"/api/v2/jobs/{job.pk}/cancel")
    assert answer.status_code == 200
    assert answer.json()["id"] == job.pk
    assert answer.json()["state"] == State.CANCELED
    assert not (workspaces.workspace(job.pk) / "input").exists()


def test_restart_only_from_minus_1(amina):
    job = amina.submitted()
    refused = amina.get(f"/api/v2/jobs/{job.pk}/restart")
    assert refused.status_code == 400
    assert refused.json()["message"] == f"Job {job.pk} is not pending."

    runs.begin_service(server=SERVER, now=timezone.now())
    assert job_json(amina, job)["state"] == State.DEAD
    accepted = amina.get(f"/api/v2/jobs/{job.pk}/restart")
    assert accepted.json()["success"] is True
    assert job_json(amina, job)["state"] == State.WAITING


def test_per_user_limit_400(amina, account, settings):
    for _ in range(settings.NODE_JOBS_PER_USER):
        amina.submitted()
    answer = amina.submit()
    assert answer.status_code == 400
    assert answer.json()["message"] == "Only 2 jobs per user can be executed simultaneously."
    assert account("bilal").submit().status_code == 200
    admin = account("root", role="Admin")
    assert [admin.submit().status_code for _ in range(3)] == [200, 200, 200]


def test_maintenace_key_and_503(amina):
    set_maintenance(on=True)
    for body in (Client().get("/api/v2/server").json(), amina.get("/api/v2/server").json()):
        assert body["maintenace"] is True
        assert body["maintenaceMessage"]
    refused = amina.submit()
    assert refused.status_code == 503
    assert refused.json()["message"] == "This functionality is currently under maintenance."
    assert amina.get("/api/v2/server/apps/imputationserver2").status_code == 503
    set_maintenance(on=False)
    assert amina.submit().status_code == 200


def test_anonymous_counted_downloads_with_400_at_zero(amina, download):
    job = finished_job(amina.submitted(), downloads=2)
    file = OutputFile.objects.get(output__job=job, path="chr_20.zip")
    path = f"/share/results/{file.hash}/chr_20.zip"
    for left in (1, 0):
        answer = download(path)
        assert answer.content == FILES["chr_20.zip"]
        assert not {"etag", "accept-ranges", "content-length"} & {
            name.lower() for name in answer.headers
        }
        file.refresh_from_db()
        assert file.count == left
    answer = download(path)
    assert answer.status == 400
    assert answer.json() == {"message": "number of max downloads exceeded.", "success": False}


def test_a_range_is_ignored_and_head_costs_a_download(amina, download):
    job = finished_job(amina.submitted())
    file = OutputFile.objects.get(output__job=job, path="chr_20.zip")
    path = f"/share/results/{file.hash}/chr_20.zip"
    whole = download(path, headers={"Range": "bytes=0-1"})
    assert (whole.status, whole.content) == (200, FILES["chr_20.zip"])
    download(path, method="head")
    file.refresh_from_db()
    assert file.count == 8


@pytest.mark.django_db(transaction=True)
def test_downloads_at_once_never_exceed_the_count(amina, download):
    job = finished_job(amina.submitted(), downloads=3)
    file = OutputFile.objects.get(output__job=job, path="chr_20.zip")
    barrier = Barrier(8)

    def get(_: int) -> int:
        barrier.wait()
        try:
            return int(download(f"/share/results/{file.hash}/chr_20.zip").status)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(get, range(8)))
    assert statuses == [200] * 3 + [400] * 5


def test_random_hash_per_file(amina):
    job = finished_job(amina.submitted())
    hashes = [
        file["hash"] for output in job_json(amina, job)["outputParams"] for file in output["files"]
    ]
    assert len(set(hashes)) == len(hashes) == len(FILES) + 1
    assert all(re.fullmatch("[0-9a-f]{64}", each) for each in hashes)


def test_rounded_sizes(amina):
    scene = Scene(amina.submitted())
    for name, size in (("a", 760), ("b", 1023), ("c", 1024), ("d", 2 * 1024**2 - 1)):
        scene.offer(name, bytes(size))
    files = job_json(amina, scene.job)["outputParams"][0]["files"]
    assert [file["size"] for file in files] == ["760 bytes", "1023 bytes", "1 KB", "1 MB"]


def test_nested_file_names(amina, download):
    job = finished_job(amina.submitted())
    output = job_json(amina, job)["outputParams"][0]
    nested = next(file for file in output["files"] if "/" in file["name"])
    assert nested["name"] == "statistics/snps-excluded.txt"
    folder = next(node for node in output["tree"] if node["folder"])
    assert [child["name"] for child in folder["childs"]] == ["snps-excluded.txt"]
    answer = download(f"/share/results/{nested['hash']}/{nested['name']}")
    assert answer.content == FILES["statistics/snps-excluded.txt"]
    assert download(f"/share/results/{nested['hash']}/snps-excluded.txt").status == 404


def test_html_in_messages_and_type_codes(amina):
    scene = Scene(amina.submitted())
    scene.say("<b>3</b> samples<br>", kind=0)
    scene.say("wrong", kind=1)
    scene.say("odd", kind=2)
    scene.say("Imputation (1/4)", kind=3, replace=True)
    messages = job_json(amina, scene.job)["steps"][0]["logMessages"]
    assert [message["type"] for message in messages] == [0, 1, 2, 3]
    assert all(message["success"] is True for message in messages)
    assert messages[0]["message"] == "<b>3</b> samples<br>"


def test_progress_replaces_the_running_line(amina):
    scene = Scene(amina.submitted())
    for part in range(1, 4):
        scene.say(f"Imputation ({part}/4)", kind=3, replace=True)
    scene.say("Imputation (4/4)", kind=0, replace=True)
    messages = job_json(amina, scene.job)["steps"][0]["logMessages"]
    assert [(each["message"], each["type"]) for each in messages] == [("Imputation (4/4)", 0)]


def test_job_accepted_then_failed_in_validation(amina):
    scene = Scene(amina.submitted(refpanel="apps@nowhere@9.9.9", population="x"))
    scene.say("At least 20 samples must be uploaded.", kind=1)
    scene.end(State.FAILED)
    body = job_json(amina, scene.job)
    assert body["state"] == State.FAILED
    assert body["steps"][0]["logMessages"][0]["type"] == 1
    assert [step["empty"] for step in body["steps"]] == [False, True, True, True]


def test_state_8_9_after_notice_and_7_with_empty_outputs_later(amina):
    now = timezone.now()
    good = finished_job(amina.submitted(), now=now)
    bad = Scene(amina.submitted(), now=now).end(State.FAILED)
    days = {"notice_after": timedelta(days=5), "retire_after": timedelta(days=7)}

    assert runs.give_notice(now=now + timedelta(days=4), **days) == 0
    assert runs.give_notice(now=now + timedelta(days=5), **days) == 2
    body = job_json(amina, good)
    assert (body["state"], job_json(amina, bad)["state"]) == (8, 9)
    assert body["deletedOn"] == int((now + timedelta(days=7)).timestamp() * 1000)
    assert body["outputParams"][0]["files"]

    assert runs.retire_jobs(now=now + timedelta(days=7), retire_after=timedelta(days=7)) == 2
    body = job_json(amina, good)
    assert (body["state"], body["outputParams"]) == (7, [])
    assert not workspaces.workspace(good.pk).exists()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("delete", "/api/v2/jobs/{job}"),
        ("delete", "/api/v2/users/amina/api-token"),
        ("post", "/api/v2/users/amina/api-token"),
    ],
)
def test_api_token_refused_403_for_delete_and_tokens(amina, method, path):
    job = finished_job(amina.submitted())
    answer = amina.request(method, path.format(job=job.pk))
    assert answer.status_code == 403
    assert answer.json() == {"message": "Access denied.", "success": False}
    assert amina.request(method, path.format(job=job.pk), session=True).status_code == 200


def test_401_vs_403(amina, account):
    job = amina.submitted()
    path = f"/api/v2/jobs/{job.pk}"
    assert Client().get(path).status_code == 401
    assert Client().get(path, headers={"X-Auth-Token": "nonsense"}).status_code == 401
    assert Client().get(path, headers={"Authorization": amina.api_token}).status_code == 401
    bearer = {"X-Auth-Token": f"Bearer {amina.api_token}"}
    assert Client().get(path, headers=bearer).status_code == 401
    other = account("bilal").get(path)
    assert (other.status_code, other.json()["message"]) == (403, "Access denied.")
    missing = amina.get("/api/v2/jobs/job-20000101-000000-000")
    assert (missing.status_code, missing.json()["message"]) == (
        404,
        "Job job-20000101-000000-000 not found.",
    )


def test_list_without_page_returns_all(amina, settings):
    settings.NODE_JOBS_PER_USER = 100
    jobs = [amina.submitted().pk for _ in range(17)]
    whole = amina.get("/api/v2/jobs").json()
    assert [job["id"] for job in whole["data"]] == jobs[::-1]
    assert (whole["count"], whole["page"], whole["pageSize"]) == (17, 1, 17)
    first, second = (amina.get(f"/api/v2/jobs?page={page}").json() for page in (1, 2))
    assert (len(first["data"]), len(second["data"])) == (15, 2)
    assert (first["prev"], first["next"], second["prev"], second["next"]) == (None, 2, 1, None)
    assert second["pageSize"] == 15


def test_position_in_queue_minus_1_and_0(amina):
    first, second = amina.submitted(), amina.submitted()
    assert job_json(amina, first)["positionInQueue"] == 0
    assert job_json(amina, second)["positionInQueue"] == 1
    Scene(first)
    assert job_json(amina, first)["positionInQueue"] == -1
    assert job_json(amina, second)["positionInQueue"] == 0


def test_redirecting_downloads(amina, settings, download):
    settings.NODE_REDIRECT_DOWNLOADS = True
    job = finished_job(amina.submitted())
    file = OutputFile.objects.get(output__job=job, path="statistics/snps-excluded.txt")
    answer = download(f"/share/results/{file.hash}/{file.path}")
    assert answer.status == 302
    target = answer.headers["Location"].removeprefix("http://testserver")
    assert download(target).content == FILES[file.path]
    assert download(target).status == 200
    file.refresh_from_db()
    assert file.count == 9
    leaked = download(target, headers={"X-Auth-Token": amina.api_token})
    assert leaked.status == 403
    signed, _, name = target.removeprefix("/object/").partition("/")
    assert download(f"/object/x{signed}/{name}").status == 403


def test_expired_token_in_the_middle_of_a_run(amina):
    job = amina.submitted()
    token = create_api_token(
        user=amina.user, life=timedelta(days=1), now=timezone.now() - timedelta(hours=23)
    )
    path = f"/api/v2/jobs/{job.pk}/status"
    assert Client().get(path, headers={"X-Auth-Token": token}).status_code == 200
    expired = create_api_token(
        user=amina.user, life=timedelta(days=1), now=timezone.now() - timedelta(days=1)
    )
    assert Client().get(path, headers={"X-Auth-Token": expired}).status_code == 401
    assert Client().get(path, headers={"X-Auth-Token": token}).status_code == 401


def test_server_restart_means_dead(amina):
    waiting = amina.submitted()
    running = amina.submitted()
    Scene(waiting)
    assert runs.begin_service(server=SERVER, now=timezone.now()) == 2
    for job in (waiting, running):
        body = job_json(amina, job)
        assert (body["state"], body["positionInQueue"]) == (State.DEAD, -1)
        assert body["endTime"] > 0


def test_the_panel_key_with_version_changes_under_the_client(amina, tmp_path):
    def write(version: str) -> str:
        return write_panel(
            workspaces.panels_root(),
            id="small",
            version=version,
            name="Small",
            build="hg38",
            populations=[Population(id="off", name="Skip", samples=-1)],
            genotypes={"20": KIT / "panel_AFR.vcf.gz"},
            maps={},
            simulated=True,
            samples=["AFR_R0000", "AFR_R0001"],
        ).key

    def keys() -> list[str]:
        params = amina.get("/api/v2/server/apps/imputationserver2").json()["params"]
        return [value["key"] for value in params[0]["values"]]

    old = write("1.9.0")
    assert keys() == [old]
    new = write("1.10.0")
    assert set(keys()) == {old, new}
    assert amina.submitted(refpanel="small").parameters["refpanel"] == new
    assert amina.submitted(refpanel=old).parameters["refpanel"] == old


def test_simulated_panels_say_so_wherever_they_are_named(amina, panels):
    params = amina.get("/api/v2/server/apps/imputationserver2").json()["params"]
    shown = params[0]["values"][0]["value"], params[5]["values"][0]["label"]
    assert all("SIMULATED" in name for name in shown)
