"""Programs that know the Michigan API and nothing of this node: see `strict_clients`."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from apps.node.models import Job, OutputFile, User
from apps.node.operations import runs
from apps.node.operations.jobs import set_maintenance
from apps.node.states import State
from tests.unit.apps.node.conftest import make_account
from tests.unit.apps.node.running import Node, a_running_node, commit, has_ended
from tests.unit.apps.node.scenes import SERVER, Scene, finished_job
from tests.unit.apps.node.strict_clients import Bot, BotError, read_job

pytestmark = pytest.mark.django_db
PASSWORD = "Bot-Password_1"


@pytest.fixture(scope="module")
def running_node(
    django_db_setup: None,
    django_db_blocker: Any,
    tmp_path_factory: pytest.TempPathFactory,
    kit_panels: Path,
) -> Iterator[Node]:
    with (
        django_db_blocker.unblock(),
        a_running_node(tmp_path_factory.mktemp("clients"), kit_panels) as node,
    ):
        yield node


@pytest.fixture
def bot(running_node: Node) -> Bot:
    return Bot(url=running_node.server.url, token=running_node.account.api_token)


def wait(running_node: Node, job_id: str) -> None:
    running_node.client.wait(job_id, has_ended)


def refusal(action: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(BotError) as refused:
        action()
    return refused.value.status, str(refused.value)


def test_the_official_client_imputes_from_discovery_to_the_opened_result(running_node, bot, study):
    assert bot.add_instance().startswith("Hi fatou: ")
    assert bot.panels() == {"kit-afr": ["afr", "off"]}
    job_id = bot.impute(
        study,
        refpanel="kit-afr",
        build="hg38",
        population="afr",
        phasing="no_phasing",
        meta="true",
        password=PASSWORD,
        name="by the bot",
    )
    wait(running_node, job_id)
    assert not bot.is_running(job_id)
    assert bot.details(job_id)["name"] == "by the bot"
    assert job_id in bot.jobs()
    read_job(bot.details(job_id))
    files = bot.download(job_id, password=PASSWORD)
    assert {"chr20.dose.vcf.gz", "chr20.info.gz", "chr20.empiricalDose.vcf.gz"} <= set(files)
    assert files["output/statistics/snps-excluded.txt"].startswith(b"ID\t")
    left = {
        file["count"] for output in bot.details(job_id)["outputParams"] for file in output["files"]
    }
    assert left == {8}  # it asks twice for each file

    commit(lambda: OutputFile.objects.filter(output__job_id=job_id).update(count=1))
    assert refusal(lambda: bot.download(job_id, password=PASSWORD)) == (
        400,
        "File could not be downloaded. Max download limit exceeded.",
    )
    commit(lambda: Job.objects.filter(pk=job_id).update(ended_at=timezone.now()))
    now = timezone.now() + timedelta(days=8)
    commit(lambda: runs.retire_jobs(now=now, retire_after=timedelta(days=7)))
    assert refusal(lambda: bot.download(job_id, password=PASSWORD))[1].endswith("Job is retired.")


def test_the_official_client_understands_what_goes_wrong(running_node, bot, study):
    stranger: list[str] = []
    commit(lambda: stranger.append(make_account("bilal-the-bot").api_token))
    nobody = Bot(url=bot.url, token="a.b.c")
    assert refusal(nobody.add_instance) == (100, "Invalid API Token.")
    assert refusal(nobody.jobs) == (401, "The provided Token is invalid.")

    options = {"refpanel": "kit-afr", "build": "hg38", "population": "off", "phasing": "no_phasing"}
    running_node.hold.write_text("qc")
    mine = [bot.impute(study, mode="qconly", **options) for _ in range(2)]
    assert refusal(lambda: bot.impute(study, **options)) == (
        400,
        "Only 2 jobs per user can be executed simultaneously.",
    )
    assert refusal(lambda: Bot(url=bot.url, token=stranger[0]).details(mine[0])) == (
        403,
        "Access denied.",
    )
    assert refusal(lambda: bot.details("job-20000101-000000-000")) == (
        404,
        "Job job-20000101-000000-000 not found.",
    )
    commit(lambda: set_maintenance(on=True))
    try:
        told = refusal(lambda: bot.impute(study, **options))
        assert told == (503, "This functionality is currently under maintenance.")
    finally:
        commit(lambda: set_maintenance(on=False))
    running_node.hold.unlink()
    for job_id in mine:
        wait(running_node, job_id)
        assert bot.details(job_id)["state"] == State.SUCCESS

    malformed = bot.impute(b"no VCF", **options)
    wait(running_node, malformed)
    assert refusal(lambda: bot.download(malformed, password=PASSWORD))[0] == 400
    commit(lambda: User.objects.filter(username="bilal-the-bot").update(active=False))
    assert refusal(Bot(url=bot.url, token=stranger[0]).jobs)[0] == 401


def test_a_strict_reader_can_read_a_job_in_every_state(amina, account):
    admin = account("root", role=User.Role.ADMIN)
    now = timezone.now()
    seen = {}

    def look(job: Job) -> None:
        for who in (amina, admin):
            body = who.get(f"/api/v2/jobs/{job.pk}").json()
            read_job(body)
            seen[body["state"]] = body

    job = amina.submitted()
    look(job)
    scene = Scene(job, now=now)
    scene.say("<b>QC</b> 50 %", kind=3)
    look(job)
    scene.export()
    scene.offer("statistics/empty.txt", b"")
    look(job)
    look(scene.end(State.FAILED))
    look(finished_job(amina.submitted(), now=now))
    canceled = amina.submitted()
    read_job(amina.get(f"/api/v2/jobs/{canceled.pk}/cancel").json())
    look(canceled)
    dead = amina.submitted()
    runs.begin_service(server=SERVER, now=now)
    look(dead)
    runs.give_notice(
        now=now + timedelta(days=5),
        notice_after=timedelta(days=5),
        retire_after=timedelta(days=7),
    )
    for each in Job.objects.filter(user=amina.user):
        look(each)
    runs.retire_jobs(now=now + timedelta(days=7), retire_after=timedelta(days=7))
    look(job)
    deleted = amina.request("delete", f"/api/v2/jobs/{job.pk}", session=True).json()
    read_job(deleted)
    seen[deleted["state"]] = deleted
    assert set(seen) == {state.value for state in State}
