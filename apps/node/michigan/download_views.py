"""Downloads: anonymous by an unguessable hash, counted, streamed, without ranges or checksums.

With `NODE_REDIRECT_DOWNLOADS` the node behaves as a server whose workspace is an object store: the
counted link answers with a redirect to a signed link that works for a few minutes. That link is for
whoever holds it; a client that sends its token along has leaked it, and is told so.
"""

import shlex
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core import signing
from django.http import HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header
from rest_framework.request import Request

from apps.node import queries
from apps.node.michigan.access import HEADER, Anyone, AnyToken
from apps.node.michigan.views import MichiganView
from apps.node.models import OutputFile
from apps.node.operations.jobs import spend_download
from apps.node.refusals import Refusal
from apps.node.workspaces import UnsafePath, find_file
from apps.shared.streaming import ByteRange, file_blocks

__all__ = ["BrowseView", "DownloadView", "ObjectView", "ScriptView", "ShareView"]

_SIGNED_SECONDS: Final = 600
_SALT: Final = "node-object"


class FileGone(Refusal):
    """The database knows the file, the workspace does not hold it."""

    status = 404


class LinkRefused(Refusal):
    """A signed link that is not ours, too old, or used with a token."""

    status = 403


class ShareView(MichiganView):
    """`/share/results/{hash}/{name}`; the user name of older servers is not looked at."""

    permission_classes = [Anyone]

    def get(self, request: Request, username: str, file_hash: str, name: str) -> HttpResponseBase:
        return _deliver(request, queries.get_file(file_hash=file_hash, name=name))


class DownloadView(MichiganView):
    """`/downloads/{job}/{hash}/{name}`, for the job's owner."""

    permission_classes = [AnyToken]

    def get(self, request: Request, job_id: str, file_hash: str, name: str) -> HttpResponseBase:
        job = queries.get_job(job_id, user=self.user)
        file = queries.get_file(file_hash=file_hash, name=name)
        if file.output.job_id != job.pk:
            raise queries.DownloadNotFound("download not found.")
        return _deliver(request, file)


class BrowseView(MichiganView):
    """`/browse/{output hash}/{name}`: a file by its folder's hash, counted like any other."""

    permission_classes = [Anyone]

    def get(self, request: Request, output_hash: str, name: str) -> HttpResponseBase:
        file = queries.get_file_of_output(output_hash=output_hash, name=name)
        response = _deliver(request, file)
        if name.endswith(".html") and response.status_code == 200:
            # Shown in the page of a browser: it was made from uploaded data, so nothing in it runs.
            response.headers["Content-Type"] = "text/html; charset=utf-8"
            response.headers["Content-Disposition"] = "inline"
            response.headers["Content-Security-Policy"] = (
                "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
            )
        return response


class ScriptView(MichiganView):
    """`/get/{output hash}`: a shell script that downloads all files of a folder."""

    permission_classes = [Anyone]

    def get(self, request: Request, output_hash: str) -> HttpResponse:
        output = queries.get_output(output_hash=output_hash)
        lines = ["#!/bin/bash", "set -e"]
        for file in output.files.all():
            url = request.build_absolute_uri(f"/share/results/{file.hash}/{file.path}")
            lines.append(f"curl --create-dirs -fL {shlex.quote(url)} -o {shlex.quote(file.path)}")
        return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")


class ObjectView(MichiganView):
    """A signed link: the bytes, uncounted, for a few minutes."""

    permission_classes = [Anyone]

    def get(self, request: Request, signed: str, name: str) -> HttpResponseBase:
        if HEADER in request.headers:
            raise LinkRefused("A signed link must not be asked with a token.")
        try:
            claim: Any = signing.loads(signed, salt=_SALT, max_age=_SIGNED_SECONDS)
        except signing.BadSignature as error:
            raise LinkRefused("The link is not valid.") from error
        return _stream(queries.get_file(file_hash=claim, name=name))


def _deliver(request: Request, file: OutputFile) -> HttpResponseBase:
    """Spend one download and answer with the file, or with where to get it."""
    path = _path(file)
    spend_download(file=file)
    if settings.NODE_REDIRECT_DOWNLOADS:
        signed = signing.dumps(file.hash, salt=_SALT)
        return HttpResponseRedirect(request.build_absolute_uri(f"/object/{signed}/{file.path}"))
    return _stream(file, path)


def _stream(file: OutputFile, path: Path | None = None) -> StreamingHttpResponse:
    """The whole file. Like the real server: no length, no ranges, no entity tag."""
    response = StreamingHttpResponse(
        file_blocks(path or _path(file), ByteRange(start=0, stop=file.size)),
        content_type="application/octet-stream",
    )
    response.headers["Content-Disposition"] = content_disposition_header(
        as_attachment=True, filename=file.name
    )
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _path(file: OutputFile) -> Path:
    try:
        return find_file(file.output.job_id, file.output.name, file.path)
    except (FileNotFoundError, UnsafePath) as error:
        raise FileGone("File not found in workspace.") from error
