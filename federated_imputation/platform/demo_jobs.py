"""The demonstration's jobs: sent through the API, and followed until they are over."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from federated_imputation.platform.api_client import Job, OfferedPanel, PlatformApi
from federated_imputation.platform.progress import JobProgress, ProgressDisplay
from federated_imputation.platform.studies import Study, StudyPanel

__all__ = ["JobsFailed", "SentJob", "follow", "submit"]

_POLL_SECONDS: Final = 1.0


class JobsFailed(Exception):
    """Not all jobs were completed; for each that was not, the service's reason and its events."""

    def __init__(self, failed: Sequence["SentJob"]) -> None:
        super().__init__("\n".join(_obituary(job) for job in failed))


@dataclass(kw_only=True)
class SentJob:
    """A job of the demonstration.

    Attributes:
        phasing: Whether it was sent without phase, for the node to phase it.
        started: When its upload began, on the monotonic clock.
        latest: What the platform said of it last.
        seconds: From the start until it was seen to be over; None while it is not.
    """

    panel: StudyPanel
    id: str
    started: float
    latest: Job
    phasing: bool = False
    seconds: float | None = None

    @property
    def title(self) -> str:
        return f"{self.panel.name}, unphased" if self.phasing else self.panel.name


def submit(
    api: PlatformApi,
    study: Study,
    panel: StudyPanel,
    offered: OfferedPanel,
    *,
    phasing: bool = False,
) -> SentJob:
    """Send the study for one panel.

    Args:
        phasing: Send it without its phase, and let the node phase it.
    """
    started = time.monotonic()
    job_id = api.submit(
        name=f"Demonstration, {panel.name}{', unphased' if phasing else ''}",
        panel=offered,
        build=study.build,
        population=panel.population,
        phasing=phasing,
        input_file=study.unphased if phasing else study.target,
    )
    return SentJob(panel=panel, id=job_id, started=started, latest=api.job(job_id), phasing=phasing)


def follow(
    api: PlatformApi,
    jobs: Sequence[SentJob],
    display: ProgressDisplay,
    *,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Show the jobs until all are over.

    Raises:
        JobsFailed: Not all of them were completed.
    """
    while True:
        for job in jobs:
            if job.seconds is None:
                job.latest = api.job(job.id)
                if job.latest.is_over:
                    job.seconds = time.monotonic() - job.started
        display.show([_progress(job) for job in jobs])
        if all(job.seconds is not None for job in jobs):
            break
        wait(_POLL_SECONDS)
    if failed := [job for job in jobs if job.latest.status != "completed"]:
        raise JobsFailed(failed)


def _progress(job: SentJob) -> JobProgress:
    return JobProgress(
        title=job.title,
        status=job.latest.status,
        percent=job.latest.percent,
        message=job.latest.message,
    )


def _obituary(job: SentJob) -> str:
    events = "".join(f"\n    {event.status}: {event.message}" for event in job.latest.events)
    return f"{job.title} {job.latest.status}: {job.latest.reason or 'no reason given'}{events}"
