"""JSON of the Michigan API, key by key; the examples in `apps.contracts` say the same."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from apps.node.models import Job, Output, OutputFile, Step, User
from apps.node.queries import position_in_queue

__all__ = ["display_size", "job_json", "milliseconds", "profile_json", "user_json"]

_UNITS: Final = ("bytes", "KB", "MB", "GB", "TB")


def milliseconds(moment: datetime | None, *, unset: int = 0) -> int:
    """Milliseconds since 1970, or `unset`."""
    return unset if moment is None else int(moment.timestamp() * 1000)


def display_size(size: int) -> str:
    """A size as Cloudgene rounds it, always down: `314 MB`, `760 bytes`."""
    unit = 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size //= 1024
        unit += 1
    return f"{size} {_UNITS[unit]}"


def job_json(job: Job, *, viewer: User, now: datetime) -> dict[str, Any]:
    """A job with its steps, messages and output files, as `viewer` may see it."""
    return {
        "application": job.application,
        "applicationId": job.application_id,
        "id": job.pk,
        "name": job.name,
        "state": job.state,
        "positionInQueue": position_in_queue(job),
        "userAgent": job.user_agent,
        "username": job.user.username,
        "submittedOn": milliseconds(job.submitted_at),
        "startTime": milliseconds(job.started_at),
        "endTime": milliseconds(job.ended_at),
        "deletedOn": milliseconds(job.deleted_at, unset=-1),
        "currentTime": milliseconds(now),
        "workspaceSize": None,
        "logs": f"logs/{job.pk}" if viewer.is_admin else "",
        "steps": [_step(step) for step in job.steps.all()],
        "outputParams": [_output(output, job) for output in job.outputs.all()],
    }


def user_json(user: User) -> dict[str, Any]:
    return {
        "username": user.username,
        "mail": user.mail,
        "admin": user.is_admin,
        "name": user.full_name,
    }


def profile_json(user: User, *, now: datetime) -> dict[str, Any]:
    expiry = user.api_token_expires_at
    valid = expiry is None or now < expiry
    message = ""
    if expiry is not None:
        word = "is valid until" if valid else "expired on"
        message = f"API Token was created by {user.username} and {word} {_iso(expiry)}."
    locked = user.locked_until
    return {
        "id": user.pk,
        "username": user.username,
        "fullName": user.full_name,
        "lastLogin": "" if user.last_login_at is None else _iso(user.last_login_at),
        "lockedUntil": "" if locked is None or locked <= now else _iso(locked),
        "active": user.active,
        "loginAttempts": user.login_attempts,
        "role": user.role.lower(),
        "mail": user.mail,
        "admin": user.is_admin,
        "hasApiToken": expiry is not None,
        "apiTokenMessage": message,
        "apiTokenValid": valid,
    }


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def _step(step: Step) -> dict[str, Any]:
    messages = [
        {
            "success": True,  # always, as in Cloudgene: `type` is what tells
            "message": message.text,
            "type": message.type,
            "time": milliseconds(message.time),
        }
        for message in step.messages.all()
    ]
    return {
        "id": step.position,
        "name": step.name,
        "empty": not messages,
        "logMessages": messages,
    }


def _output(output: Output, job: Job) -> dict[str, Any]:
    files = list(output.files.all())
    return {
        "id": output.pk,
        "name": output.name,
        "description": Output.Name(output.name).label,
        "value": f"{job.pk}/{output.name}",
        "type": None,  # Cloudgene never fills it in, and clients check what is there
        "download": True,
        "tree": _tree(files, f"/browse/{output.hash}"),
        "job": None,
        "jobId": job.pk,
        "autoExport": False,
        "hash": output.hash,
        "files": [
            {
                "name": file.path,
                "path": f"{job.pk}/{output.name}/{file.path}",
                "hash": file.hash,
                "count": file.count,
                "size": display_size(file.size),
                "parameterId": output.pk,
                "user": job.user.username,
            }
            for file in files
        ],
    }


def _tree(files: Iterable[OutputFile], prefix: str) -> list[dict[str, Any]]:
    """The files as folders within folders, in the order of `files`."""
    roots: list[dict[str, Any]] = []
    folders: dict[str, list[dict[str, Any]]] = {"": roots}
    for file in files:
        parent = ""
        for name in file.path.split("/")[:-1]:
            path = f"{parent}/{name}".lstrip("/")
            if path not in folders:
                node = _node(name, f"{prefix}/{path}", hash_="", size="", folder=True)
                folders[parent].append(node)
                folders[path] = node["childs"]
            parent = path
        folders[parent].append(
            _node(
                file.name,
                f"{prefix}/{file.path}",
                hash_=file.hash,
                size=display_size(file.size),
                folder=False,
            )
        )
    return roots


def _node(name: str, path: str, *, hash_: str, size: str, folder: bool) -> dict[str, Any]:
    return {
        "name": name,
        "path": path,
        "hash": hash_,
        "size": size,
        "folder": folder,
        "childs": [],
    }
