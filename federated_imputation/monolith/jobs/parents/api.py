"""Parents: one study for several services, submitted, watched, cancelled and retried as one.

The children are jobs like all others, and everything about one of them is below `/api/jobs/`.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.validators import MaxLengthValidator, MinLengthValidator
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiRequest,
    OpenApiResponse,
    extend_schema,
    extend_schema_field,
)
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils import html
from rest_framework.views import APIView

from apps.shared.api.bodies import Body
from apps.shared.api.filters import Filters
from apps.shared.api.numbers import Id
from apps.shared.api.origin import origin_of
from apps.shared.api.parsers import FormParser, JSONParser, MultiPartParser, json_of
from apps.shared.identity.caller import caller_id
from apps.shared.identity.permissions import in_scope
from federated_imputation.monolith.accounts.operations import record_read
from federated_imputation.monolith.accounts.queries import Rights, find_rights
from federated_imputation.monolith.jobs.api import FILE_ENCODING, StudyFields, token_field
from federated_imputation.monolith.jobs.models import ImputationJob, JobStatusUpdate, ParentJob
from federated_imputation.monolith.jobs.once import KEY_PARAMETER, KEY_REFUSALS, once
from federated_imputation.monolith.jobs.parents import access, operations, queries
from federated_imputation.monolith.jobs.parents.checks import FEWEST, MOST
from federated_imputation.monolith.jobs.parents.presentation import (
    ParentDetailOutput,
    ParentOutput,
)
from federated_imputation.monolith.jobs.presentation import StatusUpdateOutput

__all__ = [
    "CancelParentView",
    "MultiServiceView",
    "ParentListView",
    "ParentUpdatesView",
    "ParentView",
    "RetryParentView",
]

_PARENT_ID = OpenApiParameter("parent_id", OpenApiTypes.UUID, OpenApiParameter.PATH)
_NOT_THERE = OpenApiResponse(description="No such parent, or not one that the caller may see.")
_NOT_NOW = OpenApiResponse(description="The status of its jobs does not allow it.")


class TargetInput(Body):
    service = Id()
    reference_panel = Id()
    phasing = serializers.BooleanField(
        required=False, help_text="As for the whole submission when left out."
    )
    population = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=100,
        help_text="As for the whole submission when left out.",
    )
    user_token = token_field("Your API token at this service")


class _Targets(serializers.Field[Any, Any, Any, Any]):
    """A list of targets; in a form, where all is text, the JSON of one."""

    default_error_messages = {
        "not_a_list": "A list of targets is needed; in a form, as JSON.",
        "number": f"Name {FEWEST} to {MOST} targets.",
    }

    def to_internal_value(self, data: Any) -> tuple[operations.Target, ...]:
        if isinstance(data, str) and html.is_html_input(self.root.initial_data):
            try:
                data = json_of(data)
            except ValueError:
                self.fail("not_a_list")
        if not isinstance(data, list):
            self.fail("not_a_list")
        if not FEWEST <= len(data) <= MOST:
            self.fail("number")
        given = [TargetInput(data=each) for each in data]
        errors = [{} if each.is_valid() else each.errors for each in given]
        if any(errors):
            raise ValidationError(errors)
        return tuple(operations.Target(**each.validated_data) for each in given)


@extend_schema_field(serializers.ListField(child=TargetInput()))
class _ListOfTargets(_Targets):
    # They say again what is checked above, where the description of the API looks for it.
    default_validators = [MinLengthValidator(FEWEST), MaxLengthValidator(MOST)]


@extend_schema_field({"type": "string"})
class _TextOfTargets(_Targets):
    pass


class MultiServiceInput(StudyFields):
    targets = _ListOfTargets(
        help_text=f"{FEWEST} to {MOST} services and panels, no two of them the same."
    )


class MultiServiceJson(MultiServiceInput):
    """As JSON, which holds no file: the study is a stored one."""

    input_file = None  # type: ignore[assignment]


class MultiServiceForm(StudyFields):
    targets = _TextOfTargets(
        help_text=(
            f"JSON: a list of {FEWEST} to {MOST} objects, each with `service`, `reference_panel`, "
            "and, where they differ, `phasing`, `population`, `user_token`."
        )
    )


class MultiServiceView(APIView):
    """Submits one study to several services: a parent and a job for each target, or nothing."""

    permission_classes = [in_scope("jobs")]
    parser_classes = [MultiPartParser, FormParser, JSONParser]

    @extend_schema(
        summary="Submit one study to several services",
        parameters=[KEY_PARAMETER],
        request={
            "multipart/form-data": OpenApiRequest(MultiServiceForm, encoding=FILE_ENCODING),
            "application/json": MultiServiceJson,
        },
        responses={
            201: ParentDetailOutput,
            400: OpenApiResponse(
                description="What is wrong, by field; `targets` has an entry for each target."
            ),
            403: OpenApiResponse(
                description="No role or right allows it at one of them, or a quota is used up."
            ),
            **KEY_REFUSALS,
        },
    )
    def post(self, request: Request) -> Response:
        return once(request, self._submit)

    def _submit(self, request: Request) -> Response:
        given = MultiServiceInput(data=request.data)
        given.is_valid(raise_exception=True)
        by = find_rights(request.user)
        new = operations.NewStudy(**given.validated_data)
        access.refuse_submissions(by, service_ids=[target.service for target in new.targets])
        try:
            parent = operations.create_parent(
                user_id=caller_id(request), new=new, origin=origin_of(request), now=timezone.now()
            )
        except operations.InvalidStudy as refused:
            raise ValidationError(refused.errors) from None
        return Response(ParentDetailOutput(_found(by, parent.pk)).data, status=201)


class ParentListView(ListAPIView[ParentJob]):
    """The caller's submissions to several services, newest first."""

    permission_classes = [in_scope("jobs")]
    serializer_class = ParentOutput

    class ParentFilters(Filters):
        status = serializers.ChoiceField(choices=ImputationJob.Status.choices, required=False)
        search = serializers.CharField(required=False)

    @extend_schema(
        summary="The caller's submissions to several services, newest first",
        parameters=[ParentFilters],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        answer = super().get(request, *args, **kwargs)
        _record(request, ((each["id"], each["user"]["id"]) for each in answer.data["results"]))
        return answer

    def get_queryset(self) -> QuerySet[ParentJob]:
        return queries.parents(
            find_rights(self.request.user), **self.ParentFilters.of(self.request)
        )


@extend_schema(parameters=[_PARENT_ID])
class ParentView(APIView):
    """One study with its jobs; its owner may rename it, or delete it when all of them are over."""

    permission_classes = [in_scope("jobs")]

    class ParentEdit(Body):
        name = serializers.CharField(max_length=200, required=False)
        description = serializers.CharField(required=False, allow_blank=True)

    @extend_schema(
        summary="One submission to several services, with its jobs",
        responses={200: ParentDetailOutput, 404: _NOT_THERE},
    )
    def get(self, request: Request, parent_id: str) -> Response:
        parent = _looked_at(request, parent_id)
        return Response(ParentDetailOutput(parent).data)

    @extend_schema(
        summary="Change the name or description of one's own; its jobs keep theirs",
        request=ParentEdit,
        responses={200: ParentDetailOutput, 404: _NOT_THERE},
    )
    def patch(self, request: Request, parent_id: str) -> Response:
        by = find_rights(request.user)
        parent = access.owned(by, parent_id=parent_id)
        given = self.ParentEdit(data=request.data)
        given.is_valid(raise_exception=True)
        operations.edit_parent(
            parent,
            changes=given.validated_data,
            user_id=caller_id(request),
            origin=origin_of(request),
            now=timezone.now(),
        )
        return Response(ParentDetailOutput(_found(by, parent.pk)).data)

    @extend_schema(
        summary="Delete one's own, with its jobs, when all of them are over",
        responses={204: None, 400: _NOT_NOW, 404: _NOT_THERE},
    )
    def delete(self, request: Request, parent_id: str) -> Response:
        parent = access.owned(find_rights(request.user), parent_id=parent_id)
        try:
            operations.delete_parent(
                parent, user_id=caller_id(request), origin=origin_of(request), now=timezone.now()
            )
        except operations.NotAllowedNow as refused:
            return Response({"error": str(refused)}, status=400)
        return Response(status=204)


class AcceptedForJobs(serializers.Serializer[Any]):
    message = serializers.CharField()
    jobs = serializers.ListField(
        child=serializers.UUIDField(), help_text="Those of its jobs that were asked."
    )


@extend_schema(parameters=[_PARENT_ID])
class CancelParentView(APIView):
    """Asks for the end of every job of the study that is not over."""

    permission_classes = [in_scope("jobs")]

    @extend_schema(request=None, responses={202: AcceptedForJobs, 400: _NOT_NOW, 404: _NOT_THERE})
    def post(self, request: Request, parent_id: str) -> Response:
        parent = access.owned(find_rights(request.user), parent_id=parent_id)
        try:
            asked = operations.cancel_parent(
                parent, user_id=caller_id(request), origin=origin_of(request), now=timezone.now()
            )
        except operations.NotAllowedNow as refused:
            return Response({"error": str(refused)}, status=400)
        return _accepted("Job cancellation requested", asked)


@extend_schema(parameters=[_PARENT_ID])
class RetryParentView(APIView):
    """Takes every failed or cancelled job of the study up again.

    One alone, or one with a new token, is retried by itself: `POST /api/jobs/{job_id}/retry/`.
    """

    permission_classes = [in_scope("jobs")]

    @extend_schema(
        request=None,
        responses={
            202: AcceptedForJobs,
            400: _NOT_NOW,
            403: OpenApiResponse(
                description="The owner alone may, and while they may submit to the services."
            ),
            404: _NOT_THERE,
        },
    )
    def post(self, request: Request, parent_id: str) -> Response:
        parent = access.retried(find_rights(request.user), parent_id=parent_id)
        try:
            again = operations.retry_parent(
                parent, user_id=caller_id(request), origin=origin_of(request), now=timezone.now()
            )
        except operations.NotAllowedNow as refused:
            return Response({"error": str(refused)}, status=400)
        return _accepted("Job retry requested", again)


@extend_schema(parameters=[_PARENT_ID])
class ParentUpdatesView(ListAPIView[JobStatusUpdate]):
    """What happened to all jobs of the study, oldest first; `job` says to which."""

    permission_classes = [in_scope("jobs")]
    serializer_class = StatusUpdateOutput

    def get_queryset(self) -> QuerySet[JobStatusUpdate]:
        parent = _looked_at(self.request, self.kwargs["parent_id"])
        return queries.updates_of_parent(parent_id=parent.pk)


def _accepted(message: str, jobs: Iterable[UUID]) -> Response:
    return Response({"message": message, "jobs": [str(job) for job in jobs]}, status=202)


def _found(by: Rights, parent_id: UUID) -> ParentJob:
    return access.seen(by, parent_id=str(parent_id))


def _looked_at(request: Request, parent_id: str) -> ParentJob:
    """The parent, if the caller may look at it; that of another is audited."""
    parent = access.seen(find_rights(request.user), parent_id=parent_id)
    _record(request, [(parent.pk, parent.user_id)])
    return parent


def _record(request: Request, shown: Iterable[tuple[object, int]]) -> None:
    """Audit which of the parents shown, given with their owners, are another's."""
    record_read(
        resource_type="parent_job",
        ids=[parent_id for parent_id, owner_id in shown if owner_id != caller_id(request)],
        user_id=caller_id(request),
        origin=origin_of(request),
        now=timezone.now(),
    )
