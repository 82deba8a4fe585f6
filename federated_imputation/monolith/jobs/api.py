"""Jobs: submit, watch, cancel, retry, and what they brought.

Who may do what is decided in `access`; each look at the job of another is audited.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Protocol
from uuid import UUID

from django.db.models import QuerySet
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
from apps.shared.api.filters import Filters
from apps.shared.api.numbers import Id
from apps.shared.api.origin import Origin, origin_of
from apps.shared.api.parsers import FormParser, JSONParser, MultiPartParser
from apps.shared.identity.caller import caller_id
from apps.shared.identity.permissions import in_scope
from federated_imputation.monolith.accounts.operations import record_read
from federated_imputation.monolith.accounts.queries import Rights, find_rights
from federated_imputation.monolith.files import queries as files
from federated_imputation.monolith.files.presentation import ResultFileOutput
from federated_imputation.monolith.jobs import access, operations, queries
from federated_imputation.monolith.jobs.models import ImputationJob, JobStatusUpdate
from federated_imputation.monolith.jobs.once import KEY_PARAMETER, KEY_REFUSALS, once
from federated_imputation.monolith.jobs.presentation import (
    JobDetailOutput,
    JobOutput,
    StatusUpdateOutput,
)

__all__ = [
    "FILE_ENCODING",
    "CancelView",
    "JobFilesView",
    "JobListView",
    "JobUpdatesView",
    "JobView",
    "RetryView",
    "RevealPasswordView",
    "StatusUpdateListView",
    "StatusUpdateView",
    "StudyFields",
    "token_field",
]


class Accepted(serializers.Serializer[Any]):
    message = serializers.CharField()
    task_id = serializers.UUIDField()


_JOB_ID = OpenApiParameter("job_id", OpenApiTypes.UUID, OpenApiParameter.PATH)
FILE_ENCODING = {
    "input_file": {
        "contentType": "application/octet-stream",
        "headers": {
            "Content-Disposition": {
                "description": "The file's name says what it holds.",
                "schema": {"type": "string"},
                "example": 'form-data; name="input_file"; filename="study.vcf.gz"',
            }
        },
    }
}
_NOT_THERE = OpenApiResponse(description="No such job, or not one that the caller may see.")
_NOT_NOW = OpenApiResponse(description="The status of the job does not allow it.")


def token_field(about: str) -> serializers.CharField:
    """A field for an API token; `about` is how its description begins."""
    return serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=8192,
        write_only=True,
        help_text=f"{about}; kept encrypted, never answered.",
    )


class StudyFields(Body):
    """What every submission says, wherever it goes."""

    name = serializers.CharField(max_length=200)
    description = serializers.CharField(required=False, allow_blank=True, default="")
    input_format = serializers.CharField(max_length=20, default="vcf")
    build = serializers.CharField(
        default="hg38", help_text="hg19 or hg38, of the file; GRCh37 and GRCh38 mean the same."
    )
    phasing = serializers.BooleanField(
        default=False, help_text="Whether the service shall phase; false when left out."
    )
    population = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=100,
        help_text="One of the panel's populations; empty leaves it to the panel.",
    )
    input_file = serializers.FileField(
        required=False,
        max_length=255,
        error_messages={"required": "This field is required."},
        help_text="The genotypes; needed unless `genotype_file` names them.",
    )
    genotype_file = serializers.UUIDField(
        required=False, help_text="A file of `/api/files/` instead of an upload."
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        given = getattr(self, "initial_data", None)
        if isinstance(given, Mapping) and "genotype_file" not in given:
            fields["input_file"].required = True
        return fields


class JobListView(ListAPIView[ImputationJob]):
    """The caller's jobs, newest first, and the way to submit one."""

    permission_classes = [in_scope("jobs")]
    parser_classes = [MultiPartParser, FormParser, JSONParser]
    serializer_class = JobOutput

    class JobFilters(Filters):
        status = serializers.ChoiceField(choices=ImputationJob.Status.choices, required=False)
        service = Id(required=False, source="service_id")
        search = serializers.CharField(required=False)

    class JobInput(StudyFields):
        service = Id()
        reference_panel = Id()
        user_token = token_field("Your API token at the service")

    class CreatedJob(serializers.Serializer[ImputationJob]):
        id = serializers.UUIDField()
        name = serializers.CharField()
        description = serializers.CharField()
        service = serializers.IntegerField(source="service_id")
        reference_panel = serializers.IntegerField(source="reference_panel_id")
        input_format = serializers.CharField()
        build = serializers.CharField()
        phasing = serializers.BooleanField()
        population = serializers.CharField()
        status = serializers.ChoiceField(choices=ImputationJob.Status.choices)
        created_at = serializers.DateTimeField()

    @extend_schema(summary="The caller's jobs, newest first", parameters=[JobFilters])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        answer = super().get(request, *args, **kwargs)
        _record(request, ((job["id"], job["user"]["id"]) for job in answer.data["results"]))
        return answer

    @extend_schema(
        summary="Submit a job",
        parameters=[KEY_PARAMETER],
        request={"multipart/form-data": OpenApiRequest(JobInput, encoding=FILE_ENCODING)},
        responses={
            201: CreatedJob,
            400: OpenApiResponse(description="What is wrong, by field."),
            403: OpenApiResponse(
                description="No role or right allows it here, or a quota is used up."
            ),
            **KEY_REFUSALS,
        },
    )
    def post(self, request: Request) -> Response:
        return once(request, self._submit)

    def _submit(self, request: Request) -> Response:
        given = self.JobInput(data=request.data)
        given.is_valid(raise_exception=True)
        access.refuse_submission(
            find_rights(request.user), service_id=given.validated_data["service"]
        )
        try:
            job = operations.create_job(
                user_id=caller_id(request),
                new=operations.NewJob(**given.validated_data),
                origin=origin_of(request),
                now=timezone.now(),
            )
        except operations.InvalidJob as refused:
            raise ValidationError(refused.errors) from None
        return Response(self.CreatedJob(job).data, status=201)

    def get_queryset(self) -> QuerySet[ImputationJob]:
        return queries.jobs(find_rights(self.request.user), **self.JobFilters.of(self.request))


@extend_schema(parameters=[_JOB_ID])
class JobView(APIView):
    """One job with its history and files; its owner may rename it, or delete it when it is over."""

    permission_classes = [in_scope("jobs")]

    class JobEdit(Body):
        name = serializers.CharField(max_length=200, required=False)
        description = serializers.CharField(required=False, allow_blank=True)

    @extend_schema(
        summary="One job with its history and files",
        responses={200: JobDetailOutput, 404: _NOT_THERE},
    )
    def get(self, request: Request, job_id: str) -> Response:
        return self._shown(request, find_rights(request.user), job_id)

    @extend_schema(
        summary="Rename one's own job",
        request=JobEdit,
        responses={200: JobDetailOutput, 404: _NOT_THERE},
    )
    def put(self, request: Request, job_id: str) -> Response:
        return self._edit(request, job_id)

    @extend_schema(
        summary="Change the name or description of one's own job",
        request=JobEdit,
        responses={200: JobDetailOutput, 404: _NOT_THERE},
    )
    def patch(self, request: Request, job_id: str) -> Response:
        return self._edit(request, job_id)

    @extend_schema(
        summary="Delete one's own job when it is over",
        responses={204: None, 400: _NOT_NOW, 404: _NOT_THERE},
    )
    def delete(self, request: Request, job_id: str) -> Response:
        job = access.owned(find_rights(request.user), job_id=job_id)
        try:
            operations.delete_job(
                job.pk, user_id=caller_id(request), origin=origin_of(request), now=timezone.now()
            )
        except operations.JobGone:
            raise NotFound from None
        except operations.NotAllowedNow as refused:
            return Response({"error": str(refused)}, status=400)
        return Response(status=204)

    def _edit(self, request: Request, job_id: str) -> Response:
        by = find_rights(request.user)
        job = access.owned(by, job_id=job_id)
        given = self.JobEdit(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            operations.edit_job(
                job,
                changes=given.validated_data,
                user_id=caller_id(request),
                origin=origin_of(request),
                now=timezone.now(),
            )
        except operations.JobGone:
            raise NotFound from None
        return self._shown(request, by, job_id)

    def _shown(self, request: Request, by: Rights, job_id: str) -> Response:
        job = queries.find_job_with_history(by, job_id=job_id)
        if job is None:
            raise NotFound
        _record(request, [(job.pk, job.user_id)])
        return Response(JobDetailOutput(job).data)


@extend_schema(parameters=[_JOB_ID])
class CancelView(APIView):
    """Asks for the end of a job that is not over.

    What was not sent is cancelled at once; of the rest the service decides, and the job becomes
    `cancelled` when the service says so.
    """

    permission_classes = [in_scope("jobs")]

    @extend_schema(request=None, responses={202: Accepted, 400: _NOT_NOW, 404: _NOT_THERE})
    def post(self, request: Request, job_id: str) -> Response:
        job = access.managed(find_rights(request.user), job_id=job_id)
        return _asked(request, job, operations.cancel_job, "Job cancellation requested")


@extend_schema(parameters=[_JOB_ID])
class RetryView(APIView):
    """Takes a failed or cancelled job up again, as a new attempt with the same file.

    Its owner may bring a new token for the service; with one, a job that is not over goes on as it
    is, which ends the wait of a job whose token the service no longer accepts.
    """

    permission_classes = [in_scope("jobs")]

    class RetryInput(Body):
        user_token = token_field("Your new API token at the service")

    @extend_schema(
        request=RetryInput,
        responses={
            202: Accepted,
            400: _NOT_NOW,
            403: OpenApiResponse(description="Only the owner brings a token."),
            404: _NOT_THERE,
        },
    )
    def post(self, request: Request, job_id: str) -> Response:
        by = find_rights(request.user)
        job = access.retried(by, job_id=job_id)
        given = self.RetryInput(data=request.data)
        given.is_valid(raise_exception=True)
        token = given.validated_data["user_token"].strip()
        if token:
            access.owned(by, job_id=job_id)
        retry = partial(operations.retry_job, user_token=token)
        return _asked(request, job, retry, "Job retry requested")


@extend_schema(parameters=[_JOB_ID])
class RevealPasswordView(APIView):
    """The password of the job's encrypted files, for its owner alone; each look is audited."""

    permission_classes = [in_scope("jobs")]

    class RevealedPassword(serializers.Serializer[Any]):
        password = serializers.CharField()

    @extend_schema(request=None, responses={200: RevealedPassword, 404: _NOT_THERE})
    def post(self, request: Request, job_id: str) -> Response:
        password = operations.reveal_password(
            access.owned(find_rights(request.user), job_id=job_id),
            user_id=caller_id(request),
            origin=origin_of(request),
            now=timezone.now(),
        )
        if password is None:
            raise NotFound("This job has no password.")
        return Response({"password": password}, headers={"Cache-Control": "no-store"})


@extend_schema(parameters=[_JOB_ID])
class JobUpdatesView(APIView):
    """What happened to one job, oldest first."""

    permission_classes = [in_scope("jobs")]

    @extend_schema(responses={200: StatusUpdateOutput(many=True), 404: _NOT_THERE})
    def get(self, request: Request, job_id: str) -> Response:
        found = queries.updates_of_job(job_id=_looked_at(request, job_id).pk)
        return Response([StatusUpdateOutput(update).data for update in found])


@extend_schema(parameters=[_JOB_ID])
class JobFilesView(APIView):
    """The files that one job brought, in the order in which they came."""

    permission_classes = [in_scope("jobs")]

    @extend_schema(responses={200: ResultFileOutput(many=True), 404: _NOT_THERE})
    def get(self, request: Request, job_id: str) -> Response:
        found = files.results_of_job(job_id=_looked_at(request, job_id).pk)
        return Response([ResultFileOutput(file).data for file in found])


class StatusUpdateListView(ListAPIView[JobStatusUpdate]):
    """What happened to the caller's own jobs, newest first."""

    permission_classes = [in_scope("jobs")]
    serializer_class = StatusUpdateOutput

    def get_queryset(self) -> QuerySet[JobStatusUpdate]:
        return queries.updates(user_id=caller_id(self.request))


class StatusUpdateView(APIView):
    """One thing that happened to a job of the caller."""

    permission_classes = [in_scope("jobs")]

    @extend_schema(responses=StatusUpdateOutput)
    def get(self, request: Request, update_id: int) -> Response:
        update = queries.updates(user_id=caller_id(request)).filter(pk=update_id).first()
        if update is None:
            raise NotFound
        return Response(StatusUpdateOutput(update).data)


class _Operation(Protocol):
    def __call__(self, job_id: UUID, *, user_id: int, origin: Origin, now: datetime) -> str: ...


def _asked(request: Request, job: ImputationJob, operation: _Operation, message: str) -> Response:
    """The answer to somebody who may ask for `operation`, which returns the id of its message."""
    try:
        task_id = operation(
            job.pk, user_id=caller_id(request), origin=origin_of(request), now=timezone.now()
        )
    except operations.JobGone:
        raise NotFound from None
    except operations.NotAllowedNow as refused:
        return Response({"error": str(refused)}, status=400)
    return Response({"message": message, "task_id": task_id}, status=202)


def _looked_at(request: Request, job_id: str) -> ImputationJob:
    """The job, if the caller may look at it; that of another is audited."""
    job = access.seen(find_rights(request.user), job_id=job_id)
    _record(request, [(job.pk, job.user_id)])
    return job


def _record(request: Request, shown: Iterable[tuple[object, int]]) -> None:
    """Audit which of the jobs shown, given with their owners, are another's."""
    record_read(
        resource_type="job",
        ids=[job_id for job_id, owner_id in shown if owner_id != caller_id(request)],
        user_id=caller_id(request),
        origin=origin_of(request),
        now=timezone.now(),
    )
