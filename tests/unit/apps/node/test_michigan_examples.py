"""The node produces every example message of the Michigan API: same status, keys and types."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.contracts.examples import Example, load
from apps.node.models import OutputFile, User
from apps.node.operations import runs
from apps.node.operations.jobs import STEPS, set_maintenance
from apps.node.states import State
from apps.node.workspaces import workspace
from tests.unit.apps.node.conftest import PASSWORD, Account
from tests.unit.apps.node.scenes import SERVER, Scene, finished_job

pytestmark = pytest.mark.django_db
EXAMPLES = load("michigan")
Answer = Callable[[Account], Any]
DAYS = {"notice_after": timedelta(days=5), "retire_after": timedelta(days=7)}


def show(account: Account, job: Any, suffix: str = "") -> Any:
    return account.get(f"/api/v2/jobs/{job.pk}{suffix}")


def login(account: Account, password: str = PASSWORD) -> Any:
    form = {"username": account.user.username, "password": password}
    return Client().post("/login", data=form)


def locked(account: Account) -> Any:
    for _ in range(5):
        login(account, "wrong")
    return login(account)


def not_activated(account: Account) -> Any:
    User.objects.update(active=False)
    return login(account)


def verify(token: str) -> Any:
    return Client().post("/api/v2/tokens/verify", data={"token": token})


def in_maintenance(ask: Answer) -> Answer:
    def answer(account: Account) -> Any:
        set_maintenance(on=True)
        return ask(account)

    return answer


def too_many(account: Account) -> Any:
    for _ in range(2):
        account.submitted()
    return account.submit()


def waiting(before: int) -> Answer:
    def answer(account: Account) -> Any:
        for _ in range(before):
            account.submitted()
        return show(account, account.submitted())

    return answer


def validating(account: Account) -> Any:
    return show(account, Scene(account.submitted()).job)


def running(account: Account, suffix: str = "") -> Any:
    scene = Scene(account.submitted())
    scene.say("1 valid VCF file(s) found.")
    scene.say("match", step=STEPS[1])
    scene.say("<b>Imputation (1/4)</b>", step=STEPS[2], kind=3, replace=True)
    return show(account, scene.job, suffix)


def exporting(account: Account) -> Any:
    scene = Scene(account.submitted())
    for step in STEPS[:3]:
        scene.say("done", step=step)
    scene.export()
    return show(account, scene.job)


def failed(account: Account) -> Any:
    scene = Scene(account.submitted())
    scene.say("1 valid VCF file(s) found.")
    scene.say("No chunks passed", step=STEPS[1], kind=1)
    scene.offer("qc_report.txt", b"report")
    scene.offer("statistics/snps-excluded.txt", b"sites")
    scene.offer("job.log", b"log", output="cloudgene_logs")
    return show(account, scene.end(State.FAILED))


def failed_validation(account: Account) -> Any:
    scene = Scene(account.submitted())
    scene.say("At least 20 samples must be uploaded.", kind=1)
    return show(account, scene.end(State.FAILED))


def success(account: Account) -> Any:
    return show(account, finished_job(account.submitted()))


def canceled(account: Account) -> Any:
    scene = Scene(account.submitted())
    scene.say("1 valid VCF file(s) found.")
    scene.say("Canceled by user.", step=STEPS[1], kind=1)
    return show(account, scene.end(State.CANCELED))


def cancel(account: Account) -> Any:
    return show(account, account.submitted(), "/cancel")


def dead(account: Account) -> Any:
    job = account.submitted()
    scene = Scene(job)
    scene.say("1 valid VCF file(s) found.")
    runs.begin_service(server=SERVER, now=timezone.now())
    return show(account, job)


def restarted(account: Account) -> Any:
    job = account.submitted()
    runs.begin_service(server=SERVER, now=timezone.now())
    return show(account, job, "/restart")


def notified(account: Account, outcome: State) -> Any:
    if outcome is State.SUCCESS:
        job = finished_job(account.submitted())
    else:
        scene = Scene(account.submitted())
        scene.say("No chunks passed", kind=1)
        scene.offer("qc_report.txt", b"report")
        scene.offer("job.log", b"log", output="cloudgene_logs")
        job = scene.end(outcome)
    runs.give_notice(now=timezone.now() + timedelta(days=6), **DAYS)
    return show(account, job)


def retired(account: Account) -> Any:
    job = finished_job(account.submitted())
    runs.retire_jobs(now=timezone.now() + timedelta(days=7), retire_after=timedelta(days=7))
    return show(account, job)


def deleted(account: Account) -> Any:
    job = finished_job(account.submitted())
    assert account.request("delete", f"/api/v2/jobs/{job.pk}", session=True).status_code == 200
    return show(account, job)


def page_of_many(account: Account) -> Any:
    for number in range(17):
        job = account.submitted()
        finished_job(job) if number else Scene(job).end(State.FAILED)
    return account.get("/api/v2/jobs?page=2")


def all_jobs(account: Account) -> Any:
    finished_job(account.submitted())
    running(account)
    account.submitted()
    return account.get("/api/v2/jobs")


def forbidden_job(account: Account) -> Any:
    job = account.submitted()
    User.objects.create(username="bilal", full_name="Bilal", password="!")
    type(job).objects.update(user=User.objects.get(username="bilal"))
    return show(account, job)


def exhausted(account: Account) -> Any:
    finished_job(account.submitted(), downloads=0)
    return share(OutputFile.objects.get(path="chr_20.zip").hash)


def file_gone(account: Account) -> Any:
    scene = Scene(account.submitted())
    file = scene.offer("chr_20.zip", b"PK")
    (workspace(scene.job.pk) / "output" / "chr_20.zip").unlink()
    return share(file.hash)


def share(file_hash: str) -> Any:
    return Client().get(f"/share/results/{file_hash}/chr_20.zip")


SCENARIOS: dict[str, Answer] = {
    "api-token-created": lambda a: a.request(
        "post", "/api/v2/users/amina/api-token?expiration=30", session=True
    ),
    "app": lambda a: a.get("/api/v2/server/apps/imputationserver2"),
    "counters": lambda a: Client().get("/api/v2/server/counters"),
    "error-api-token-forbidden": lambda a: a.request("delete", "/api/v2/users/amina/api-token"),
    "error-app-maintenance": in_maintenance(
        lambda a: a.get("/api/v2/server/apps/imputationserver2")
    ),
    "error-app-not-found": lambda a: a.get("/api/v2/server/apps/minimac4"),
    "error-download-exhausted": exhausted,
    "error-download-file-gone": file_gone,
    "error-download-not-found": lambda a: share("0" * 64),
    "error-forbidden-delete": lambda a: a.request("delete", f"/api/v2/jobs/{a.submitted().pk}"),
    "error-forbidden-job": forbidden_job,
    "error-job-not-dead": lambda a: show(a, a.submitted(), "/restart"),
    "error-job-not-found": lambda a: a.get("/api/v2/jobs/job-20000101-000000-000"),
    "error-login-locked": locked,
    "error-login-not-activated": not_activated,
    "error-login-wrong-password": lambda a: login(a, "wrong"),
    "error-not-authenticated": lambda a: Client().get("/api/v2/jobs"),
    "error-submit-maintenance": in_maintenance(lambda a: a.submit()),
    "error-submit-not-authenticated": lambda a: Client().post(
        "/api/v2/jobs/submit/imputationserver2"
    ),
    "error-submit-too-many-jobs": too_many,
    "error-submit-unknown-application": lambda a: a.submit("minimac4"),
    "error-submit-unknown-parameter": lambda a: a.submit(**{"files-source": "http"}),
    "job-cancel": cancel,
    "job-cancelled": canceled,
    "job-dead": dead,
    "job-deleted": deleted,
    "job-exporting": exporting,
    "job-failed": failed,
    "job-failed-notified": lambda a: notified(a, State.FAILED),
    "job-failed-validation": failed_validation,
    "job-restarted": restarted,
    "job-retired": retired,
    "job-running": running,
    "job-running-status": lambda a: running(a, "/status"),
    "job-success": success,
    "job-success-notified": lambda a: notified(a, State.SUCCESS),
    "job-success-password-shown": success,
    "job-validating": validating,
    "job-waiting": waiting(1),
    "job-waiting-next": waiting(0),
    "jobs-all": all_jobs,
    "jobs-none": lambda a: a.get("/api/v2/jobs"),
    "jobs-page": page_of_many,
    "login": login,
    "profile": lambda a: a.get("/api/v2/users/me/profile"),
    "server-anonymous": lambda a: Client().get("/api/v2/server"),
    "server-in-maintenance": in_maintenance(lambda a: a.get("/api/v2/server")),
    "server-with-token": lambda a: a.get("/api/v2/server"),
    "submit-accepted": lambda a: a.submit(),
    "token-invalid": lambda a: verify("nonsense"),
    "token-valid": lambda a: verify(a.api_token),
}
# Answered outside Django, and with the status of Cloudgene 3; see `test_bodies`.
ELSEWHERE = {"error-submit-upload-limit"}


def test_every_example_is_produced():
    assert set(SCENARIOS) | ELSEWHERE == set(EXAMPLES)


@pytest.mark.parametrize("example", [EXAMPLES[name] for name in SCENARIOS], ids=list(SCENARIOS))
def test_node_answers_as_the_example(example: Example, amina, panels):
    answer = SCENARIOS[example.name](amina)
    assert answer.status_code == example.status, answer.content
    assert example.differences(answer.json()) == []
    if "message" in example.body and example.status >= 400 and example.name.startswith("error"):
        assert generic(answer.json()["message"]) == generic(example.body["message"])


def generic(message: str) -> str:
    """The message without the job's number, which differs."""
    return " ".join(word for word in message.split() if not word.startswith("job-"))
