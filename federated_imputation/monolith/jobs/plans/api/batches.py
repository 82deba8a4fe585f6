"""Batches: several stored files sent with the same settings, a job for each."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.shared.api.bodies import Body
from apps.shared.api.filters import Filters
from apps.shared.api.numbers import Id
from apps.shared.api.origin import origin_of
from apps.shared.identity.caller import caller_id
from apps.shared.identity.permissions import in_scope
from federated_imputation.monolith.accounts.queries import Rights, find_rights
from federated_imputation.monolith.jobs.access import refuse_submission
from federated_imputation.monolith.jobs.models import ImputationJob
from federated_imputation.monolith.jobs.once import KEY_PARAMETER, KEY_REFUSALS, once
from federated_imputation.monolith.jobs.operations import InvalidJob, NotAllowedNow
from federated_imputation.monolith.jobs.plans import access, queries
from federated_imputation.monolith.jobs.plans.models import LONGEST_NAME, JobBatch, JobTemplate
from federated_imputation.monolith.jobs.plans.operations import batches as operations
from federated_imputation.monolith.jobs.plans.operations.templates import settings_of
from federated_imputation.monolith.jobs.plans.presentation import (
    BatchDetailOutput,
    BatchOutput,
    SettingsFields,
    user_token,
)
from federated_imputation.monolith.jobs.presentation import JobOutput

__all__ = ["BatchCancelView", "BatchJobsView", "BatchListView", "BatchRetryView", "BatchView"]

_BATCH_ID = OpenApiParameter("batch_id", OpenApiTypes.UUID, OpenApiParameter.PATH)
_NOT_THERE = OpenApiResponse(description="No such batch, or not one of the caller's own.")
_NOT_NOW = OpenApiResponse(description="The states of the jobs do not allow it.")
_MOST_FILES = 50


class AcceptedBatch(serializers.Serializer[Any]):
    message = serializers.CharField()
    jobs = serializers.IntegerField(help_text="How many jobs were asked.")


class BatchListView(ListAPIView[JobBatch]):
    """The caller's batches, newest first, and the way to submit one."""

    permission_classes = [in_scope("jobs")]
    serializer_class = BatchOutput

    class BatchFilters(Filters):
        status = serializers.ChoiceField(choices=JobBatch.Status.choices, required=False)

    class BatchInput(SettingsFields):
        name = serializers.CharField(max_length=LONGEST_NAME)
        description = serializers.CharField(required=False, allow_blank=True, default="")
        template = serializers.UUIDField(
            required=False, help_text="Or else `service` and `reference_panel`."
        )
        service = Id(required=False)
        reference_panel = Id(required=False)
        genotype_files = serializers.ListField(
            child=serializers.UUIDField(),
            min_length=1,
            max_length=_MOST_FILES,
            help_text="Files of `/api/files/`; a job is made of each, and named after it.",
        )
        user_token = user_token(about="Your API token at the service, for all the jobs")

        def validate_genotype_files(self, value: list[UUID]) -> list[UUID]:
            if len(set(value)) < len(value):
                raise serializers.ValidationError("A file is named twice.")
            return value

        def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
            places = ("service", "reference_panel")
            if "template" in attrs and not attrs.keys().isdisjoint(places):
                both = "Name a template, or a service and a panel; not both."
                raise serializers.ValidationError({"template": [both]})
            missing = [name for name in places if name not in attrs]
            if "template" not in attrs and missing:
                required = "This field is required unless `template` is given."
                raise serializers.ValidationError({name: [required] for name in missing})
            return attrs

    @extend_schema(summary="The caller's batches, newest first", parameters=[BatchFilters])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Submit a batch",
        description="All of its jobs are made, or none.",
        parameters=[KEY_PARAMETER],
        request=BatchInput,
        responses={
            201: BatchDetailOutput,
            400: OpenApiResponse(description="What is wrong, by field; a file by its name."),
            403: OpenApiResponse(description="Neither the role nor a right allows it here."),
            **KEY_REFUSALS,
        },
    )
    def post(self, request: Request) -> Response:
        return once(request, self._submit)

    def _submit(self, request: Request) -> Response:
        given = self.BatchInput(data=request.data)
        given.is_valid(raise_exception=True)
        by = find_rights(request.user)
        try:
            batch = operations.create_batch(
                user_id=caller_id(request),
                new=_new_batch(by, dict(given.validated_data)),
                origin=origin_of(request),
                now=timezone.now(),
            )
        except InvalidJob as refused:
            raise ValidationError(refused.errors) from None
        return Response(_detail(batch), status=201)

    def get_queryset(self) -> QuerySet[JobBatch]:
        return queries.batches(
            user_id=caller_id(self.request), **self.BatchFilters.of(self.request)
        )


@extend_schema(parameters=[_BATCH_ID])
class BatchView(APIView):
    """One batch of the caller."""

    permission_classes = [in_scope("jobs")]

    @extend_schema(summary="One batch", responses={200: BatchDetailOutput, 404: _NOT_THERE})
    def get(self, request: Request, batch_id: str) -> Response:
        return Response(_detail(access.own_batch(find_rights(request.user), batch_id=batch_id)))

    @extend_schema(
        summary="Delete a batch when it is over",
        description="Its jobs go with it, and all that they brought.",
        responses={204: None, 400: _NOT_NOW, 404: _NOT_THERE},
    )
    def delete(self, request: Request, batch_id: str) -> Response:
        batch = access.own_batch(find_rights(request.user), batch_id=batch_id)
        try:
            operations.delete_batch(
                batch, user_id=caller_id(request), origin=origin_of(request), now=timezone.now()
            )
        except NotAllowedNow as refused:
            return Response({"error": str(refused)}, status=400)
        return Response(status=204)


@extend_schema(parameters=[_BATCH_ID])
class BatchJobsView(ListAPIView[ImputationJob]):
    """The jobs of a batch, in the order of its files."""

    permission_classes = [in_scope("jobs")]
    serializer_class = JobOutput

    @extend_schema(summary="The jobs of a batch", responses={200: JobOutput, 404: _NOT_THERE})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[ImputationJob]:
        by = find_rights(self.request.user)
        batch = access.own_batch(by, batch_id=self.kwargs["batch_id"])
        return queries.jobs_of_batch(batch.pk)


@extend_schema(parameters=[_BATCH_ID])
class BatchCancelView(APIView):
    """Asks for the end of each job of the batch that is not over."""

    permission_classes = [in_scope("jobs")]

    @extend_schema(
        summary="Cancel the jobs of a batch",
        request=None,
        responses={202: AcceptedBatch, 400: _NOT_NOW, 404: _NOT_THERE},
    )
    def post(self, request: Request, batch_id: str) -> Response:
        batch = access.own_batch(find_rights(request.user), batch_id=batch_id)
        try:
            asked = operations.cancel_batch(
                batch, user_id=caller_id(request), origin=origin_of(request), now=timezone.now()
            )
        except NotAllowedNow as refused:
            return Response({"error": str(refused)}, status=400)
        return Response({"message": "Batch cancellation requested", "jobs": asked}, status=202)


@extend_schema(parameters=[_BATCH_ID])
class BatchRetryView(APIView):
    """Takes up again each job of the batch that failed, with the same file."""

    permission_classes = [in_scope("jobs")]

    class BatchRetryInput(Body):
        user_token = user_token(about="Your new API token at the service, for all of them")

    @extend_schema(
        summary="Retry the failed jobs of a batch",
        request=BatchRetryInput,
        responses={
            202: AcceptedBatch,
            400: _NOT_NOW,
            403: OpenApiResponse(description="The caller may not submit there any more."),
            404: _NOT_THERE,
        },
    )
    def post(self, request: Request, batch_id: str) -> Response:
        by = find_rights(request.user)
        batch = access.retried_batch(by, batch_id=batch_id)
        given = self.BatchRetryInput(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            again = operations.retry_batch(
                batch,
                user_id=caller_id(request),
                origin=origin_of(request),
                now=timezone.now(),
                user_token=given.validated_data["user_token"].strip(),
            )
        except NotAllowedNow as refused:
            return Response({"error": str(refused)}, status=400)
        return Response({"message": "Batch retry requested", "jobs": again}, status=202)


def _new_batch(by: Rights, values: dict[str, Any]) -> operations.NewBatch:
    """What a valid body asks for.

    Raises:
        PermissionDenied: The caller may not submit there.
        ValidationError: The template is not there.
    """
    name, files, token = (values.pop(f) for f in ("name", "genotype_files", "user_token"))
    description = values.pop("description")
    template = _template(by, values.pop("template", None))
    settings = settings_of(template, values) if template else {"description": description, **values}
    refuse_submission(by, service_id=settings["service"])
    return operations.NewBatch(
        name=name,
        description=description,
        template=template,
        settings=settings,
        genotype_files=tuple(files),
        user_token=token,
    )


def _template(by: Rights, template_id: UUID | None) -> JobTemplate | None:
    if template_id is None:
        return None
    return access.named_template(by, template_id=template_id)


def _detail(batch: JobBatch) -> dict[str, Any]:
    counts = queries.count_jobs_of_batch(batch.pk)
    return dict(BatchDetailOutput(batch, context={"counts": counts}).data)
