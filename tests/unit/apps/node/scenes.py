"""Jobs as a pipeline would have left them, made by the functions that the runner uses."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.utils import timezone

from apps.node import workspaces
from apps.node.models import Job, OutputFile
from apps.node.operations import runs
from apps.node.operations.jobs import STEPS
from apps.node.states import State

SERVER = uuid4()
FILES = {
    "chr_20.zip": b"PK" + bytes(3000),
    "qc_report.txt": b"fine\n",
    "statistics/snps-excluded.txt": b"ID\tCHROM\n",
}


class Scene:
    """One job at work on a server of ours; each call is one event of its pipeline."""

    def __init__(self, job: Job, *, server: UUID = SERVER, now: datetime | None = None) -> None:
        self.now = now or timezone.now()
        others = Job.objects.filter(state=State.RUNNING).values_list("pk", flat=True)
        claimed = runs.claim_job(server=server, running=list(others), now=self.now)
        assert claimed == job
        self.job = job
        self.server = server
        self.number = 0

    def say(self, text: str, *, step: str = STEPS[0], kind: int = 0, replace: bool = False) -> None:
        self.number += 1
        runs.add_message(
            job_id=self.job.pk,
            server=self.server,
            number=self.number,
            step=step,
            type=kind,
            text=text,
            replace=replace,
            at=self.now,
        )

    def offer(self, path: str, content: bytes, *, output: str = "output", downloads: int = 10):
        file = workspaces.workspace(self.job.pk) / output / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        self.number += 1
        runs.add_output(
            job_id=self.job.pk,
            server=self.server,
            number=self.number,
            output=output,
            path=path,
            size=len(content),
            downloads=downloads,
        )
        return OutputFile.objects.get(output__job=self.job, path=path)

    def export(self) -> None:
        runs.start_export(job_id=self.job.pk, server=self.server)

    def end(self, outcome: State, *, after: timedelta = timedelta(0)) -> Job:
        runs.end_run(job_id=self.job.pk, server=self.server, outcome=outcome, now=self.now + after)
        self.job.refresh_from_db()
        return self.job


def finished_job(job: Job, *, now: datetime | None = None, downloads: int = 10) -> Job:
    """The job with messages in every step, results and a log, as SUCCESS."""
    scene = Scene(job, now=now)
    for step in STEPS:
        scene.say(f"<b>{step}</b> done", step=step)
    scene.export()
    for path, content in FILES.items():
        scene.offer(path, content, downloads=downloads)
    scene.offer("job.log", b"log\n", output="cloudgene_logs", downloads=downloads)
    return scene.end(State.SUCCESS)
