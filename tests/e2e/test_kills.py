"""`kill -9` while a node holds a step of the pipeline: every job ends right, submitted once."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from federated_imputation.platform.api_client import Job, PlatformApi
from federated_imputation.platform.records import read_record
from federated_imputation.platform.state import CHECKOUT, PlatformState
from tests.platforms import OwnPlatform

pytestmark = pytest.mark.timeout(400)

STUDY = CHECKOUT / "apps" / "node" / "kit" / "target.phased.vcf.gz"
HELD_SECONDS = 60.0
FINISHED_SECONDS = 150.0


@pytest.fixture
def platform(numpy_platform: OwnPlatform) -> OwnPlatform:
    numpy_platform.up()
    return numpy_platform


@pytest.fixture
def api(platform: OwnPlatform) -> PlatformApi:
    row = next(row for row in _deployments(platform) if row["name"] == "monolith")
    client = PlatformApi(row["url"])
    client.log_in("admin", platform.manage("password", seconds=30).stdout.strip())
    return client


def _state(platform: OwnPlatform) -> PlatformState:
    return PlatformState(CHECKOUT / platform.environment["PLATFORM_STATE"])


def _deployments(platform: OwnPlatform) -> list[dict[str, Any]]:
    told = json.loads(platform.manage("status", "--json", seconds=30).stdout)
    rows: list[dict[str, Any]] = told["deployments"]
    return rows


def _kill(platform: OwnPlatform, process: str) -> None:
    record = read_record(_state(platform))
    assert record is not None
    found = record.process(process)
    assert found is not None
    assert found.pid is not None
    os.kill(found.pid, signal.SIGKILL)


def _node(platform: OwnPlatform) -> dict[str, Any]:
    credentials: dict[str, Any] = json.loads(
        Path(_state(platform).root / "nodes" / "node-afr.json").read_text()
    )
    return credentials


def _submissions(platform: OwnPlatform, job: Job) -> list[dict[str, Any]]:
    """Jobs that the node has ever had under the tag of `job`, in the node's own words."""
    node = _node(platform)
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(
            f"{node['url']}/api/v2/jobs", headers={"X-Auth-Token": node["token"]}, timeout=30
        )
    answer.raise_for_status()
    return [row for row in answer.json()["data"] if row["name"].startswith(f"fip-{job.id}")]


def _wait_for(what: Callable[[], Job], until: Callable[[Job], bool], seconds: float) -> Job:
    deadline = time.monotonic() + seconds
    while True:
        job = what()
        if until(job):
            return job
        if time.monotonic() > deadline:
            told = "\n".join(event.message for event in job.events)
            raise AssertionError(f"The job is {job.status} after {seconds:.0f} s:\n{told}")
        time.sleep(0.2)


@pytest.mark.parametrize(
    ("process", "step"),
    [
        ("monolith-worker", "qc"),
        ("monolith", "imputation"),
        ("node-afr", "imputation"),
        ("postgres", "export"),
    ],
)
def test_a_job_ends_right_and_is_submitted_once_when_a_process_is_killed(
    platform: OwnPlatform, api: PlatformApi, process: str, step: str
) -> None:
    panel = api.find_panel(service_url=_node(platform)["url"], key="apps@kit-afr@1.0.0")
    assert panel is not None
    platform.hold(step)
    job_id = api.submit(
        name=f"killed {process}",
        panel=panel,
        build="hg38",
        population="afr",
        phasing=False,
        input_file=STUDY,
    )
    held = f"Held at {step}."
    _wait_for(
        lambda: api.job(job_id),
        lambda job: any(held in event.message for event in job.events),
        HELD_SECONDS,
    )

    _kill(platform, process)
    platform.up()
    job = _wait_for(lambda: api.job(job_id), lambda job: job.is_over, FINISHED_SECONDS)

    messages = [event.message for event in job.events]
    assert job.status == "completed", "\n".join(messages)
    assert len(_submissions(platform, job)) == 1
    assert len([m for m in messages if m.startswith("Sending the file")]) == 1
    assert len([m for m in messages if m.startswith("The service accepted the job")]) == 1
    restarts = [event for event in job.events if "restart" in event.message.lower()]
    assert bool(restarts) == (process == "node-afr")
    files = api.files(job_id)
    assert "chr_20.zip" in {file.name for file in files}
    assert all(len(file.sha256) == 64 for file in files)
