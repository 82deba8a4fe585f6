"""Genotype files that people keep: stored once, then checked, repaired and sent with jobs."""

from typing import Any

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiRequest, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.shared.api.bodies import Body
from apps.shared.api.origin import origin_of
from apps.shared.api.parsers import MultiPartParser
from apps.shared.identity.caller import caller_id
from apps.shared.identity.permissions import in_scope
from apps.shared.streaming import answer_with_file
from federated_imputation.monolith.accounts.queries import find_rights
from federated_imputation.monolith.files import access, queries
from federated_imputation.monolith.files.api.results import AnyAccept
from federated_imputation.monolith.files.first_look import NoGenotypes
from federated_imputation.monolith.files.models import GenotypeFile
from federated_imputation.monolith.files.operations import genotypes as operations
from federated_imputation.monolith.files.presentation import (
    GenotypeFileOutput,
    findings_as_sentences,
)

__all__ = [
    "FILE_ID",
    "NOT_THERE",
    "GenotypeDownloadView",
    "GenotypeFileListView",
    "GenotypeFileView",
]

FILE_ID = OpenApiParameter("genotype_id", OpenApiTypes.UUID, OpenApiParameter.PATH)
NOT_THERE = OpenApiResponse(description="No such file, or not one of the caller's own.")


class GenotypeFileListView(ListAPIView[GenotypeFile]):
    """The caller's genotype files, newest first, and the way to store one."""

    permission_classes = [in_scope("files")]
    parser_classes = [MultiPartParser]
    serializer_class = GenotypeFileOutput

    class FileInput(Body):
        file = serializers.ListField(
            child=serializers.FileField(allow_empty_file=True),
            min_length=1,
            max_length=3,
            help_text="One file, or the three of a PLINK set: .bed, .bim and .fam.",
        )

    @extend_schema(summary="The caller's genotype files, newest first")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Store a genotype file",
        description=(
            "Answers with what the beginning of the file shows already. The same file under the "
            "same name is stored once: the answer is then 200 and the file that is there."
        ),
        request={"multipart/form-data": OpenApiRequest(FileInput)},
        responses={
            200: OpenApiResponse(GenotypeFileOutput, description="It was here already."),
            201: GenotypeFileOutput,
            400: OpenApiResponse(description="It is no genotype file: which line, and what to do."),
            403: OpenApiResponse(description="The role does not allow it."),
            409: OpenApiResponse(description="The caller stores too much."),
            413: OpenApiResponse(
                description="The file is larger than all that the caller may store."
            ),
        },
    )
    def post(self, request: Request) -> Response:
        access.refuse_work(find_rights(request.user))
        given = self.FileInput(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            kept = operations.keep_genotypes(
                given.validated_data["file"],
                user_id=caller_id(request),
                origin=origin_of(request),
                now=timezone.now(),
            )
        except operations.Misfits as refused:
            raise ValidationError({"file": [str(refused)]}) from None
        except NoGenotypes as refused:
            raise ValidationError({"file": findings_as_sentences(refused.findings)}) from None
        except operations.StorageFull as refused:
            return Response({"error": str(refused)}, status=413 if refused.is_hopeless else 409)
        status = 201 if kept.is_new else 200
        return Response(GenotypeFileOutput(kept.file).data, status=status)

    def get_queryset(self) -> QuerySet[GenotypeFile]:
        return queries.genotype_files(user_id=caller_id(self.request))


@extend_schema(parameters=[FILE_ID])
class GenotypeFileView(APIView):
    """One genotype file of the caller."""

    permission_classes = [in_scope("files")]

    @extend_schema(summary="One genotype file", responses={200: GenotypeFileOutput, 404: NOT_THERE})
    def get(self, request: Request, genotype_id: str) -> Response:
        file = access.own_file(user_id=caller_id(request), file_id=genotype_id)
        return Response(GenotypeFileOutput(file).data)

    @extend_schema(
        summary="Delete a genotype file",
        description="Jobs that were made from it keep what they need.",
        responses={
            204: None,
            404: NOT_THERE,
            409: OpenApiResponse(description="A check or repair is at work on it."),
        },
    )
    def delete(self, request: Request, genotype_id: str) -> Response:
        file = access.own_file(user_id=caller_id(request), file_id=genotype_id)
        try:
            operations.delete_genotype_file(
                file.pk,
                user_id=caller_id(request),
                origin=origin_of(request),
                now=timezone.now(),
            )
        except GenotypeFile.DoesNotExist:
            raise NotFound from None
        except operations.InUse as refused:
            return Response({"error": str(refused)}, status=409)
        return Response(status=204)


@extend_schema(parameters=[FILE_ID])
class GenotypeDownloadView(APIView):
    """The bytes of a genotype file, with `Range`, `If-Range` and `If-None-Match`; audited.

    The entity tag is the file's SHA-256.
    """

    permission_classes = [in_scope("files")]
    content_negotiation_class = AnyAccept

    @extend_schema(
        summary="The bytes of a genotype file",
        parameters=[
            OpenApiParameter("Range", str, OpenApiParameter.HEADER, description="RFC 9110 14.2."),
            OpenApiParameter("If-Range", str, OpenApiParameter.HEADER),
            OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER),
        ],
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            (206, "application/octet-stream"): OpenApiTypes.BINARY,
            304: OpenApiResponse(description="The file is what `If-None-Match` names."),
            404: NOT_THERE,
            416: OpenApiResponse(description="The range lies behind the end of the file."),
        },
    )
    def get(self, request: Request, genotype_id: str) -> HttpResponseBase:
        file = access.own_file(user_id=caller_id(request), file_id=genotype_id)
        try:
            path = queries.locate_genotypes(file)
        except queries.FileGone:
            raise NotFound("The file is no longer stored.") from None
        answer = answer_with_file(
            path,
            size=file.size,
            filename=file.name,
            etag=file.sha256,
            range_header=request.headers.get("Range", ""),
            if_range=request.headers.get("If-Range", ""),
            if_none_match=request.headers.get("If-None-Match", ""),
        )
        if request.method == "GET" and answer.status_code in {200, 206}:
            operations.record_genotypes_download(
                file, origin=origin_of(request), now=timezone.now()
            )
        return answer
