"""Every read of the node."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from django.db.models import Prefetch, QuerySet

from apps.node import workspaces
from apps.node.models import Job, Message, NodeStatus, Output, OutputFile, Step, User
from apps.node.pipeline.panels import Panel, read_panels
from apps.node.refusals import Refusal
from apps.node.states import ACTIVE, LISTED, State
from apps.node.tokens import Claims, TokenRejected, read_token

__all__ = [
    "AccessDenied",
    "DownloadNotFound",
    "JobNotFound",
    "find_panel",
    "get_file",
    "get_file_of_output",
    "get_job",
    "get_output",
    "get_token_owner",
    "in_maintenance",
    "jobs_of",
    "panel_of",
    "panel_uses",
    "panels",
    "position_in_queue",
    "queue_length",
    "read_again",
    "running_jobs",
    "shown_name",
]


class JobNotFound(Refusal):
    """There is no job of that id."""

    status = 404


class AccessDenied(Refusal):
    """The job belongs to somebody else."""

    status = 403


class DownloadNotFound(Refusal):
    """No file of that random hash and name."""

    status = 404


def get_token_owner(token: str, *, now: datetime) -> tuple[User, Claims]:
    """Who a token speaks for, and what it claims.

    Raises:
        TokenRejected: Not a token of this node, expired, revoked or replaced, or its user is gone
            or switched off.
    """
    claims = read_token(token, now=now)
    user = User.objects.filter(username=claims.username, active=True).first()
    if user is None:
        raise TokenRejected
    if claims.token_type == "API_TOKEN" and (  # noqa: S105 - the kind of token, not one
        not user.api_hash or claims.api_hash != user.api_hash
    ):
        raise TokenRejected
    return user, claims


def jobs_of(user: User) -> QuerySet[Job]:
    """The user's jobs that are not deleted, newest first, with all that an answer shows."""
    return _whole(Job.objects.filter(user=user, state__in=LISTED)).order_by("-submitted_at", "-id")


def get_job(job_id: str, *, user: User) -> Job:
    """The user's job `job_id`; administrators may see everybody's.

    Raises:
        JobNotFound: There is none.
        AccessDenied: It is another user's.
    """
    job = _whole(Job.objects.filter(pk=job_id)).first()
    if job is None:
        raise JobNotFound(f"Job {job_id} not found.")
    if job.user_id != user.pk and not user.is_admin:
        raise AccessDenied("Access denied.")
    return job


def read_again(job: Job) -> Job:
    """The job as it stands now, with all that an answer shows."""
    return _whole(Job.objects.filter(pk=job.pk)).get()


def position_in_queue(job: Job) -> int:
    """How many jobs are before a waiting one; -1 for a job that does not wait."""
    if job.state != State.WAITING:
        return -1
    waiting = Job.objects.filter(state=State.WAITING)
    return (
        waiting.filter(queued_at__lt=job.queued_at).count()
        + waiting.filter(queued_at=job.queued_at, id__lt=job.pk).count()
    )


def queue_length() -> int:
    return Job.objects.filter(state=State.WAITING).count()


def running_jobs() -> int:
    return Job.objects.filter(state__in=ACTIVE - {State.WAITING}).count()


def in_maintenance() -> bool:
    return NodeStatus.objects.filter(maintenance=True).exists()


def get_file(*, file_hash: str, name: str) -> OutputFile:
    """The file of a download link.

    Raises:
        DownloadNotFound: No such hash, or the name is not that file's.
    """
    return _one(OutputFile.objects.filter(hash=file_hash, path=name))


def get_file_of_output(*, output_hash: str, name: str) -> OutputFile:
    """The file `name` of the output folder with that hash.

    Raises:
        DownloadNotFound: No such folder or no such file in it.
    """
    return _one(OutputFile.objects.filter(output__hash=output_hash, path=name))


def get_output(*, output_hash: str) -> Output:
    """The output folder with that hash, with its files.

    Raises:
        DownloadNotFound: There is none.
    """
    output = Output.objects.filter(hash=output_hash).prefetch_related(_files()).first()
    if output is None:
        raise DownloadNotFound("download not found.")
    return output


def panels() -> Sequence[Panel]:
    """The reference panels that this node offers, ordered by id and version."""
    return read_panels(workspaces.panels_root(), retired=False)


def panel_of(job: Job) -> Panel | None:
    """The panel that a job is run with: an offered one, or one that was when it was submitted."""
    name = job.parameters["refpanel"]
    offered = find_panel(name, panels())
    if offered is not None:
        return offered
    kept = [
        panel
        for panel in read_panels(workspaces.panels_root())
        if panel.retired_at is not None and panel.retired_at > job.submitted_at
    ]
    return find_panel(name, kept)


def panel_uses() -> Counter[str]:
    """How many jobs still need each panel, by its key: active ones, and those one may restart."""
    needing = Job.objects.filter(state__in=ACTIVE | {State.DEAD})
    return Counter(needing.values_list("parameters__refpanel", flat=True))


def find_panel(name: str, among: Sequence[Panel]) -> Panel | None:
    """The panel that a client means: a full key, or an id whose newest version is taken.

    Args:
        name: `apps@id@version`, `id@version`, `apps@id` or `id`.
    """
    bare = name.removeprefix("apps@")
    exact = [panel for panel in among if f"{panel.id}@{panel.version}" == bare]
    candidates = exact or [panel for panel in among if panel.id == bare]
    return max(candidates, key=lambda panel: _version_order(panel.version), default=None)


def shown_name(panel: Panel) -> str:
    """The panel's name, which says SIMULATED when no real person is in it."""
    labelled = not panel.simulated or "SIMULATED" in panel.name
    return panel.name if labelled else f"{panel.name} (SIMULATED)"


def _version_order(version: str) -> tuple[tuple[int, str], ...]:
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in version.split("."))


def _whole(jobs: QuerySet[Job]) -> QuerySet[Job]:
    messages = Prefetch("messages", Message.objects.order_by("position"))
    return jobs.select_related("user").prefetch_related(
        Prefetch("steps", Step.objects.order_by("position").prefetch_related(messages)),
        Prefetch("outputs", Output.objects.order_by("id").prefetch_related(_files())),
    )


def _files() -> "Prefetch[str, QuerySet[OutputFile], str]":
    return Prefetch("files", OutputFile.objects.order_by("path"))


def _one(files: QuerySet[OutputFile]) -> OutputFile:
    file = files.select_related("output__job__user").first()
    if file is None:
        raise DownloadNotFound("download not found.")
    return file
