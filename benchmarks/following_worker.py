"""The worker process of `benchmarks.following`; pytest gives it a database and nothing else."""

import json
import os
import queue
import random
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connection
from django.db.backends.signals import connection_created
from django.utils import timezone

from apps.federation.michigan import Michigan
from apps.shared.http.client import GuardedClient
from apps.shared.http.keeping import Connections
from federated_imputation.monolith.accounts.models import ServiceCredential
from federated_imputation.monolith.accounts.secrets import encrypt
from federated_imputation.monolith.jobs import lease, looks
from federated_imputation.monolith.jobs.decisions import Work, looked
from federated_imputation.monolith.jobs.models import ImputationJob, JobWork
from federated_imputation.monolith.jobs.pace import next_look
from federated_imputation.monolith.jobs.states import Status
from federated_imputation.monolith.registry.models import ImputationService
from tests.factories import make_panel, make_service, make_user

THREADS = 4
TOKEN = "x"  # noqa: S105 - the scripted service takes any


class Counted:
    """Counts statements on every connection of this process."""

    def __init__(self) -> None:
        self.number = 0

    def watch(self, connection: Any, **_: Any) -> None:
        connection.execute_wrappers.append(self.execute)

    def execute(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        self.number += 1
        return execute(sql, params, many, context)


def pss_mb() -> float:
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6


@pytest.mark.timeout(0)
def test_follow(transactional_db: None, tmp_path: Path) -> None:
    url, pace = os.environ["FOLLOWING_URL"], int(os.environ["FOLLOWING_PACE"])
    number, seconds = int(os.environ["FOLLOWING_JOBS"]), int(os.environ["FOLLOWING_SECONDS"])
    settings.DATA_ROOT = str(tmp_path)
    service = make_service(api_url=url, api_key_required=True)
    panel = make_panel(service)
    user = make_user()
    chance, now = random.Random(1), timezone.now()  # noqa: S311 - no secret
    calls = [0]
    client = GuardedClient(allow=frozenset({url.removeprefix("http://")}), kept=Connections())

    def connect(*, service: ImputationService, token: str) -> Michigan:
        calls[0] += 1
        return Michigan(base_url=service.api_url, token=token, client=client)

    polls = {30: 9, 60: 2000}[pace]
    shown = dict(
        looked(
            Work(status=Status.QUEUED), connect(service=service, token=TOKEN).job("job-1")
        ).work.response
    )
    jobs = [
        ImputationJob(
            name=f"Study {index}",
            user=user,
            service=service,
            reference_panel=panel,
            status="running",
            external_job_id=f"job-{index:04d}",
            progress_percentage=99,
            service_response={**shown, "id": f"job-{index:04d}", "name": f"job-{index:04d}"},
        )
        for index in range(number)
    ]
    ImputationJob.objects.bulk_create(jobs)
    ServiceCredential.objects.bulk_create(
        ServiceCredential(
            service=service,
            user=user,
            job_id=job.pk,
            kind=ServiceCredential.Kind.JOB_TOKEN,
            encrypted=encrypt(f"token-{job.pk}"),
            created_at=now,
            updated_at=now,
        )
        for job in jobs
    )
    JobWork.objects.bulk_create(
        JobWork(
            job=job,
            phase="follow",
            quiet_polls=polls,
            next_poll_at=next_look(now - timedelta(seconds=chance.uniform(0, pace)), wait=pace),
        )
        for job in jobs
    )

    counted, calls[0] = Counted(), 0
    messages: queue.Queue[list[UUID] | None] = queue.Queue()
    connection_created.connect(counted.watch)
    counted.watch(connection)
    sent = [0]
    ending = threading.Event()

    def work() -> None:
        while (batch := messages.get()) is not None:
            looks.look(batch, connect=connect)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    began, cpu = time.monotonic(), time.process_time()
    while time.monotonic() - began < seconds:
        ending.wait(1.0)
        moment = timezone.now()
        lease.claim_due(now=moment)
        for batch in lease.claim_due_looks(now=moment):
            sent[0] += 1
            messages.put(batch)
    spent, lasted = time.process_time() - cpu, time.monotonic() - began
    for _ in threads:
        messages.put(None)
    for thread in threads:
        thread.join()
    connection_created.disconnect(counted.watch)
    told = {
        "cpu_percent": 100 * spent / lasted,
        "pss_mb": pss_mb(),
        "looks": calls[0],
        "calls": calls[0],
        "statements": counted.number,
        "messages": sent[0],
    }
    Path(os.environ["FOLLOWING_ANSWER"]).write_text(json.dumps(told))
