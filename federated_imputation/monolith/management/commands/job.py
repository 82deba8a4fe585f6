"""`manage.py job show|retry|cancel`: one job, from the server's shell."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rest_framework.utils.encoders import JSONEncoder

from apps.shared.api.origin import SHELL
from federated_imputation.monolith.accounts.operations.reads import record_read
from federated_imputation.monolith.accounts.rights import SYSTEM
from federated_imputation.monolith.jobs.models import ImputationJob, JobWork
from federated_imputation.monolith.jobs.operations import NotAllowedNow, cancel_job, retry_job
from federated_imputation.monolith.jobs.presentation import JobDetailOutput
from federated_imputation.monolith.jobs.queries import find_job_with_history

__all__ = ["Command"]

_ASKED: Final = {"retry": (retry_job, "Taken up again"), "cancel": (cancel_job, "Asked to end")}
_WORK: Final = (
    "phase",
    "attempt",
    "next_poll_at",
    "lease_until",
    "fence",
    "failures",
    "failing_since",
    "last_error",
    "cancel_requested_at",
)


class Command(BaseCommand):
    help = "Show a job with its history, take it up again, or ask for its end. No token is printed."

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_subparsers(dest="which", required=True)
        for name, what in (
            ("show", "where it stands, who works on it, and what happened to it"),
            ("retry", "take a failed or cancelled job up again, as a new attempt"),
            ("cancel", "end a job that is not over"),
        ):
            command = which.add_parser(name, help=what)
            command.add_argument("job", metavar="ID")
            command.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Exits with 1 when there is no such job, or its state does not allow it."""
        now = timezone.now()
        job = _job(options["job"])
        if options["which"] == "show":
            record_read(resource_type="job", ids=[job.pk], user_id=None, origin=SHELL, now=now)
            report, lines = _report(job), list(_lines(job))
        else:
            operation, word = _ASKED[options["which"]]
            try:
                operation(job.pk, user_id=None, origin=SHELL, now=now)
            except NotAllowedNow as refused:
                raise CommandError(str(refused)) from None
            job = _job(options["job"])
            report = {"id": job.pk, "status": job.status, "attempt": job.work.attempt}
            lines = [f"{word}: job {job.pk} is {job.status}, attempt {job.work.attempt}."]
        if options["json"]:
            self.stdout.write(json.dumps(report, cls=JSONEncoder))
        else:
            self.stdout.write("\n".join(lines))


def _job(job_id: str) -> ImputationJob:
    job = find_job_with_history(SYSTEM, job_id=job_id)
    if job is None:
        raise CommandError(f"There is no job {job_id}.")
    return job


def _report(job: ImputationJob) -> dict[str, Any]:
    """What the API shows of the job, and where the work on it stands; null before any."""
    work = _work(job)
    told = None if work is None else {name: getattr(work, name) for name in _WORK}
    return {**JobDetailOutput(job).data, "work": told}


def _lines(job: ImputationJob) -> Iterator[str]:
    yield f"Job {job.pk}: {job.name}"
    yield f"  status       {job.status}, {job.progress_percentage} %"
    yield f"  owner        {job.user.username} ({job.user_id})"
    yield f"  service      {job.service.name} ({job.service_id})"
    yield f"  panel        {job.reference_panel.panel_id} ({job.reference_panel_id})"
    yield f"  external id  {job.external_job_id or 'none'}"
    yield f"  created      {_moment(job.created_at)}"
    if job.error_message:
        yield f"  error        {job.error_message}"
    work = _work(job)
    if work is not None:
        due = _moment(work.next_poll_at)
        yield f"  work         {work.phase}, attempt {work.attempt}, due {due}"
        yield f"  lease        until {_moment(work.lease_until)}, fence {work.fence}"
        if work.last_error:
            yield f"  last error   {work.last_error} ({work.failures} in a row)"
        if work.cancel_requested_at is not None:
            yield f"  cancellation asked for {_moment(work.cancel_requested_at)}"
    yield "History"
    for update in job.status_updates.all():
        at = _moment(update.timestamp)
        yield f"  {at}  {update.status} {update.progress_percentage} %  {update.message}"


def _work(job: ImputationJob) -> JobWork | None:
    """A job of the legacy system has none until somebody works on it."""
    return job.work if hasattr(job, "work") else None


def _moment(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
