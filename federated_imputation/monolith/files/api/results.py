"""Result files: lists and downloads. A file is its job's owner's; to others it does not exist."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.shared.api.origin import origin_of
from apps.shared.identity.caller import caller_id
from apps.shared.identity.permissions import in_scope
from apps.shared.streaming import answer_with_file, safe_filename
from federated_imputation.monolith.files import operations, queries
from federated_imputation.monolith.files.models import ResultFile
from federated_imputation.monolith.files.presentation import ResultFileOutput, download_url

__all__ = ["AnyAccept", "DownloadView", "ResultFileListView", "ResultFileView"]


class ResultFileListView(ListAPIView[ResultFile]):
    """The result files of the caller's jobs, newest first."""

    permission_classes = [in_scope("files")]
    serializer_class = ResultFileOutput

    def get_queryset(self) -> QuerySet[ResultFile]:
        return queries.results_of(user_id=caller_id(self.request))


class ResultFileView(APIView):
    """One result file's row."""

    permission_classes = [in_scope("files")]

    @extend_schema(responses=ResultFileOutput)
    def get(self, request: Request, file_id: int) -> Response:
        file = queries.find_file(user_id=caller_id(request), file_id=file_id)
        if file is None:
            raise NotFound
        return Response(ResultFileOutput(file).data)


class AnyAccept(BaseContentNegotiation):
    """Takes every `Accept`: the answer is the file, whatever its type is called."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = renderers[0]
        return renderer, renderer.media_type


class DownloadView(APIView):
    """The bytes of a result file, with `Range`, `If-Range` and `If-None-Match`.

    The entity tag is the file's SHA-256. A zip arrives as it is stored, encrypted with the job's
    own password. Clients of the legacy system that name `application/json` in `Accept` get what
    they always got, `{download_url, filename, file_size}`; the URL, followed with any other
    `Accept`, is the file. Downloads are audited.
    """

    permission_classes = [in_scope("files")]
    content_negotiation_class = AnyAccept

    class DownloadLink(serializers.Serializer[Any]):
        download_url = serializers.CharField()
        filename = serializers.CharField()
        file_size = serializers.IntegerField()

    @extend_schema(
        summary="The bytes of a result file",
        parameters=[
            OpenApiParameter("Range", str, OpenApiParameter.HEADER, description="RFC 9110 14.2."),
            OpenApiParameter("If-Range", str, OpenApiParameter.HEADER),
            OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER),
        ],
        responses={
            (200, "application/json"): DownloadLink,
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            (206, "application/octet-stream"): OpenApiTypes.BINARY,
            304: OpenApiResponse(description="The file is what `If-None-Match` names."),
            404: OpenApiResponse(description="No such file, or it is no longer stored."),
            416: OpenApiResponse(description="The range lies behind the end of the file."),
        },
    )
    def get(
        self, request: Request, file_id: int, job_id: UUID | str | None = None
    ) -> HttpResponseBase:
        file = _found(request, file_id=file_id, job_id=job_id)
        try:
            path = queries.locate(file)
        except queries.FileGone:
            raise NotFound("The file is no longer stored.") from None
        size = path.stat().st_size
        if "application/json" in request.headers.get("Accept", "").lower():
            return Response(
                {
                    "download_url": download_url(file),
                    "filename": safe_filename(file.filename),
                    "file_size": size,
                }
            )
        answer = answer_with_file(
            path,
            size=size,
            filename=file.filename,
            etag=file.checksum or f"{file.pk}-{size}",
            range_header=request.headers.get("Range", ""),
            if_range=request.headers.get("If-Range", ""),
            if_none_match=request.headers.get("If-None-Match", ""),
        )
        if request.method == "GET" and answer.status_code in {200, 206}:
            operations.record_download(
                file,
                from_start=answer.headers.get("Content-Range", "bytes 0-").startswith("bytes 0-"),
                user_id=caller_id(request),
                origin=origin_of(request),
                now=timezone.now(),
            )
        return answer


def _found(request: Request, *, file_id: int, job_id: UUID | str | None) -> ResultFile:
    """The file, if the caller may see it.

    Raises:
        NotFound: Otherwise, also for a job id that is none.
    """
    try:
        parsed = UUID(str(job_id)) if job_id is not None else None
    except ValueError:
        raise NotFound from None
    file = queries.find_file(user_id=caller_id(request), file_id=file_id, job_id=parsed)
    if file is None:
        raise NotFound
    return file
