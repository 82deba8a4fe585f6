"""A job between a real scripted service and the real worker, on a clock that the test moves."""

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.contracts import examples
from apps.federation.michigan import Michigan
from apps.shared.api.origin import Origin
from apps.shared.http.client import GuardedClient
from federated_imputation.monolith.jobs import lease, looks, operations, worker
from federated_imputation.monolith.jobs.models import ImputationJob, JobStatusUpdate, JobWork
from federated_imputation.monolith.registry.models import ImputationService, ReferencePanel
from tests.bgzf import VCF, bgzf
from tests.factories import NOW, make_panel, make_service, make_user
from tests.michigan_server import MichiganServer, zip_of

ORIGIN = Origin(address="127.0.0.1", user_agent="test")
PANEL = "apps@kit-afr@1.0.0"
FILES = {
    "chr_20.zip": zip_of({"chr20.dose.vcf.gz": b"dose " * 500}),
    "statistics/snps-excluded.txt": b"#Position\tReason\n",
}


def upload(name: str = "study.vcf.gz", content: bytes | None = None) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, bgzf(VCF) if content is None else content)


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def move(self, by: timedelta) -> None:
        self.now += by


@dataclass
class World:
    """One user with one job at one service.

    `step` runs the worker as the tick and Celery would, inside `watching`; `finish` moves the
    clock to each next step until the job is over.
    """

    server: MichiganServer
    clock: Clock = field(default_factory=Clock)
    client: GuardedClient | None = None
    watching: Callable[[], AbstractContextManager[Any]] = nullcontext

    def __post_init__(self) -> None:
        self.server.files = dict(FILES)
        self.user: User = make_user()
        self.service: ImputationService = make_service(
            api_url=self.server.url, api_key_required=True
        )
        self.panel: ReferencePanel = make_panel(self.service, PANEL)
        self.client = self.client or GuardedClient(allow=frozenset({self.server.target}))

    def connect(self, *, service: ImputationService, token: str) -> Michigan:
        assert self.client is not None
        return Michigan(base_url=service.api_url, token=token, client=self.client)

    def server_schema(self) -> dict[str, Any]:
        """A copy of what the server's application offers."""
        return copy.deepcopy(examples.load("michigan")["app"].body)

    def submit(self, **fields: Any) -> UUID:
        values: dict[str, Any] = {
            "name": "Study",
            "service": self.service.pk,
            "reference_panel": self.panel.pk,
            "input_file": upload(),
            "user_token": self.server.token,
        }
        new = operations.NewJob(**{**values, **fields})
        return operations.create_job(
            user_id=self.user.pk, new=new, origin=ORIGIN, now=self.clock()
        ).pk

    def step(self, connect: Callable[..., Any] | None = None) -> int:
        """One tick and the steps that it announces; returns how many."""
        with self.watching():
            found = lease.claim_due(now=self.clock())
            for job_id in found:
                worker.advance(
                    job_id, clock=self.clock, connect=connect or self.connect, jitter=lambda: 0.0
                )
            for batch in lease.claim_due_looks(now=self.clock()):
                found += batch
                for job_id in looks.look(
                    batch,
                    clock=self.clock,
                    connect=connect or self.connect,
                    jitter=lambda: 0.0,
                ):
                    worker.advance(
                        job_id,
                        clock=self.clock,
                        connect=connect or self.connect,
                        jitter=lambda: 0.0,
                    )
        return len(found)

    def finish(self, job_id: UUID, *, most_steps: int = 200) -> ImputationJob:
        for _ in range(most_steps):
            due_at = JobWork.objects.get(job_id=job_id).next_poll_at
            if due_at is None:
                return self.job(job_id)
            self.clock.now = max(self.clock.now, due_at)
            self.step()
        raise AssertionError(f"The job is not over: {self.messages(job_id)[-5:]}")

    def go_on(self, job_id: UUID, connect: Callable[..., Any] | None = None) -> None:
        """Move the clock to the job's next step and do it."""
        due_at = JobWork.objects.get(job_id=job_id).next_poll_at
        assert due_at is not None, self.messages(job_id)
        self.clock.now = max(self.clock.now, due_at)
        self.step(connect)

    def cancel(self, job_id: UUID) -> None:
        operations.cancel_job(job_id, user_id=self.user.pk, origin=ORIGIN, now=self.clock())

    def retry(self, job_id: UUID) -> None:
        operations.retry_job(job_id, user_id=self.user.pk, origin=ORIGIN, now=self.clock())

    def job(self, job_id: UUID) -> ImputationJob:
        return ImputationJob.objects.select_related("work").get(pk=job_id)

    def events(self, job_id: UUID) -> list[JobStatusUpdate]:
        return list(JobStatusUpdate.objects.filter(job_id=job_id).order_by("timestamp", "id"))

    def messages(self, job_id: UUID) -> list[str]:
        return [event.message for event in self.events(job_id)]

    def stored(self, job_id: UUID) -> dict[str, bytes]:
        from django.conf import settings

        return {
            file.filename: (Path(settings.DATA_ROOT) / file.file_path).read_bytes()
            for file in self.job(job_id).files.order_by("id")
        }
