"""Views about jobs."""

import time
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.utils import timezone
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from apps.node import queries
from apps.node.michigan.access import AnyToken, SessionToken
from apps.node.michigan.shapes import job_json
from apps.node.michigan.submission import read_submission
from apps.node.michigan.views import (
    MichiganView,
    refuse_in_maintenance,
    refuse_unknown_application,
)
from apps.node.models import Job, User
from apps.node.operations import jobs as operations
from apps.node.refusals import Refusal
from apps.node.states import ACTIVE, State
from apps.node.workspaces import safe_names
from apps.shared.api.parsers import FormParser, MultiPartParser

__all__ = ["CancelView", "JobListView", "JobView", "RestartView", "SubmitView"]

_PAGE_SIZE: Final = 15
_MOST_DIGITS: Final = 9
_QUEUED: Final = "Your job was successfully added to the job queue."
# A cancelled child is killed within one look of the runner; its job is then CANCELED soon.
_CANCEL_PATIENCE_SECONDS: Final = 3.0
_CANCEL_LOOK_SECONDS: Final = 0.1


class PageRefused(Refusal):
    """`page` is not a page number."""


class JobsView(MichiganView):
    """Base of the views below: in maintenance they are for administrators alone."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        refuse_in_maintenance(self.user)


class SubmitView(JobsView):
    permission_classes = [AnyToken]
    parser_classes = [MultiPartParser, FormParser]

    def post(self, request: Request, app: str) -> Response:
        operations.refuse_above_limit(user=self.user, limit=settings.NODE_JOBS_PER_USER)
        refuse_unknown_application(app)
        submission = read_submission(
            application_id=app,
            fields={name: values[0] for name, values in request.POST.lists()},
            file_fields=request.FILES.keys(),
            panels=queries.panels(),
        )
        job = operations.submit_job(
            user=self.user,
            submission=submission,
            uploads=_uploads(request),
            user_agent=request.headers.get("User-Agent", ""),
            limit=settings.NODE_JOBS_PER_USER,
            now=timezone.now(),
        )
        return Response({"success": True, "message": _QUEUED, "id": job.pk})


class JobListView(JobsView):
    permission_classes = [AnyToken]

    def get(self, request: Request) -> Response:
        jobs = queries.jobs_of(self.user)
        count = jobs.count()
        page = _page(request)
        size = count if page is None else _PAGE_SIZE
        number = page or 1
        first = (number - 1) * size
        last_page = max(1, -(-count // size)) if size else 1
        now = timezone.now()
        return Response(
            {
                "count": count,
                "page": number,
                "pageSize": size,
                "prev": number - 1 if number > 1 else None,
                "next": number + 1 if number < last_page else None,
                "pages": list(range(1, last_page + 1)),
                "data": [
                    job_json(job, viewer=self.user, now=now) for job in jobs[first : first + size]
                ],
            }
        )


class JobView(JobsView):
    """A job, in full also under `/status`; deleting needs a login."""

    def get_permissions(self) -> list[BasePermission]:
        return [SessionToken()] if self.request.method == "DELETE" else [AnyToken()]

    def get(self, request: Request, job_id: str) -> Response:
        return _answer(queries.get_job(job_id, user=self.user), viewer=self.user)

    def delete(self, request: Request, job_id: str) -> Response:
        job = queries.get_job(job_id, user=self.user)
        operations.delete_job(job=job, now=timezone.now())
        return _answer(queries.read_again(job), viewer=self.user)


class CancelView(JobsView):
    """Yes, a GET."""

    permission_classes = [AnyToken]

    def get(self, request: Request, job_id: str) -> Response:
        job = queries.get_job(job_id, user=self.user)
        operations.cancel_job(job=job, now=timezone.now())
        _wait_until_ended(job)
        return _answer(queries.read_again(job), viewer=self.user)


class RestartView(JobsView):
    permission_classes = [AnyToken]

    def get(self, request: Request, job_id: str) -> Response:
        job = queries.get_job(job_id, user=self.user)
        operations.restart_job(job=job, now=timezone.now())
        return Response({"success": True, "message": _QUEUED, "type": 0, "time": 0})


def _answer(job: Job, *, viewer: User) -> Response:
    return Response(job_json(job, viewer=viewer, now=timezone.now()))


def _uploads(request: Request) -> dict[str, Path]:
    """Safe name and place of each file part; of equal names the last stays, as in Cloudgene."""
    uploads: dict[str, Path] = {}
    for _, parts in request.FILES.lists():
        for part in parts:
            if not isinstance(part, TemporaryUploadedFile):
                raise TypeError("Uploads must be on disk; see FILE_UPLOAD_HANDLERS.")
            uploads[part.name or ""] = Path(part.temporary_file_path())
    safe = safe_names(uploads)
    return {safe[name]: path for name, path in uploads.items()}


def _page(request: Request) -> int | None:
    text: Any = request.query_params.get("page")
    if text is None:
        return None
    if not text.removeprefix("-").isdecimal() or len(text) > _MOST_DIGITS:
        raise PageRefused("The page must be a number.")
    return max(1, int(text))


def _wait_until_ended(job: Job) -> None:
    """Give the runner a moment, so that the answer usually shows the job CANCELED."""
    deadline = time.monotonic() + _CANCEL_PATIENCE_SECONDS
    active = Job.objects.filter(pk=job.pk, state__in=ACTIVE - {State.WAITING})
    while active.exists() and time.monotonic() < deadline:
        time.sleep(_CANCEL_LOOK_SECONDS)
