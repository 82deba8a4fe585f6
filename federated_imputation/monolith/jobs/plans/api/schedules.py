"""Schedules: a template that is sent with a stored file at its times."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.shared.api.bodies import Body
from apps.shared.api.filters import Filters
from apps.shared.api.moments import Moment
from apps.shared.api.origin import origin_of
from apps.shared.identity.caller import caller_id
from apps.shared.identity.permissions import in_scope
from federated_imputation.monolith.accounts.queries import Rights, find_rights
from federated_imputation.monolith.jobs.operations import InvalidJob, NotAllowedNow
from federated_imputation.monolith.jobs.plans import access, queries
from federated_imputation.monolith.jobs.plans.models import (
    LONGEST_NAME,
    ScheduledExecution,
    ScheduledJob,
)
from federated_imputation.monolith.jobs.plans.operations import executions, schedules
from federated_imputation.monolith.jobs.plans.presentation import (
    ExecutionOutput,
    ScheduleOutput,
    user_token,
)

__all__ = [
    "ExecutionListView",
    "PauseView",
    "ResumeView",
    "RunNowView",
    "ScheduleListView",
    "ScheduleView",
]

_SCHEDULE_ID = OpenApiParameter("schedule_id", OpenApiTypes.UUID, OpenApiParameter.PATH)
_NOT_THERE = OpenApiResponse(description="No such schedule, or not one of the caller's own.")
_INVALID = OpenApiResponse(description="What is wrong, by field.")
_FORBIDDEN = OpenApiResponse(description="Neither the role nor a right allows it here.")
_NOT_NOW = OpenApiResponse(description="The state of the schedule does not allow it.")
_LARGEST_INTERVAL = 366
_MOST_EXECUTIONS = 10_000


class ScheduleEdit(Body):
    name = serializers.CharField(max_length=LONGEST_NAME, required=False)
    description = serializers.CharField(required=False, allow_blank=True)
    template = serializers.UUIDField(
        required=False, help_text="One's own, or one that its owner shares."
    )
    genotype_file = serializers.UUIDField(required=False, help_text="A file of `/api/files/`.")
    schedule_type = serializers.ChoiceField(
        choices=ScheduledJob.ScheduleType.choices, required=False
    )
    scheduled_time = Moment(required=False, help_text="The first time, with its offset from UTC.")
    time_zone = serializers.CharField(
        max_length=50,
        required=False,
        allow_blank=True,
        help_text="On whose clock the time of day stays the same; that of the profile if empty.",
    )
    recurrence_interval = serializers.IntegerField(
        min_value=1,
        max_value=_LARGEST_INTERVAL,
        required=False,
        help_text="Each so many days, weeks or months; 1 when left out.",
    )
    max_executions = serializers.IntegerField(
        min_value=1,
        max_value=_MOST_EXECUTIONS,
        required=False,
        allow_null=True,
        help_text="After so many jobs it is over; null for no end.",
    )
    user_token = user_token(
        about="Your API token at the service, for this and all later jobs there that bring none"
    )


class ScheduleInput(ScheduleEdit):
    name = serializers.CharField(max_length=LONGEST_NAME)
    template = serializers.UUIDField(help_text="One's own, or one that its owner shares.")
    genotype_file = serializers.UUIDField(help_text="A file of `/api/files/`.")
    schedule_type = serializers.ChoiceField(choices=ScheduledJob.ScheduleType.choices)
    scheduled_time = Moment(help_text="The first time, with its offset from UTC.")


class ScheduleListView(ListAPIView[ScheduledJob]):
    """The caller's schedules, newest first, and the way to make one."""

    permission_classes = [in_scope("jobs")]
    serializer_class = ScheduleOutput

    class ScheduleFilters(Filters):
        is_active = serializers.BooleanField(required=False, allow_null=True, default=None)

    @extend_schema(summary="The caller's schedules, newest first", parameters=[ScheduleFilters])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Make a schedule",
        description="What a job of it would be refused for now is refused now.",
        request=ScheduleInput,
        responses={201: ScheduleOutput, 400: _INVALID, 403: _FORBIDDEN},
    )
    def post(self, request: Request) -> Response:
        given = ScheduleInput(data=request.data)
        given.is_valid(raise_exception=True)
        values = _with_template(find_rights(request.user), given.validated_data)
        try:
            schedule = schedules.create_schedule(
                user_id=caller_id(request),
                new=schedules.NewSchedule(**values),
                origin=origin_of(request),
                now=timezone.now(),
            )
        except InvalidJob as refused:
            raise ValidationError(refused.errors) from None
        return Response(ScheduleOutput(schedule).data, status=201)

    def get_queryset(self) -> QuerySet[ScheduledJob]:
        return queries.schedules(
            user_id=caller_id(self.request), **self.ScheduleFilters.of(self.request)
        )


@extend_schema(parameters=[_SCHEDULE_ID])
class ScheduleView(APIView):
    """One schedule of the caller."""

    permission_classes = [in_scope("jobs")]

    @extend_schema(summary="One schedule", responses={200: ScheduleOutput, 404: _NOT_THERE})
    def get(self, request: Request, schedule_id: str) -> Response:
        found = access.own_schedule(find_rights(request.user), schedule_id=schedule_id)
        return Response(ScheduleOutput(found).data)

    @extend_schema(
        summary="Write a schedule anew",
        request=ScheduleInput,
        responses={200: ScheduleOutput, 400: _INVALID, 403: _FORBIDDEN, 404: _NOT_THERE},
    )
    def put(self, request: Request, schedule_id: str) -> Response:
        return self._edit(request, schedule_id, ScheduleInput)

    @extend_schema(
        summary="Change a schedule",
        request=ScheduleEdit,
        responses={200: ScheduleOutput, 400: _INVALID, 403: _FORBIDDEN, 404: _NOT_THERE},
    )
    def patch(self, request: Request, schedule_id: str) -> Response:
        return self._edit(request, schedule_id, ScheduleEdit)

    @extend_schema(
        summary="Delete a schedule",
        description="Its history goes with it; the jobs that it made stay.",
        responses={204: None, 404: _NOT_THERE},
    )
    def delete(self, request: Request, schedule_id: str) -> Response:
        found = access.own_schedule(find_rights(request.user), schedule_id=schedule_id)
        try:
            schedules.delete_schedule(found.pk, origin=origin_of(request), now=timezone.now())
        except ScheduledJob.DoesNotExist:
            raise NotFound from None
        return Response(status=204)

    def _edit(self, request: Request, schedule_id: str, body: type[ScheduleEdit]) -> Response:
        by = find_rights(request.user)
        found = access.resumed_schedule(by, schedule_id=schedule_id)
        given = body(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            schedules.edit_schedule(
                found.pk,
                changes=_with_template(by, given.validated_data),
                origin=origin_of(request),
                now=timezone.now(),
            )
        except InvalidJob as refused:
            raise ValidationError(refused.errors) from None
        except ScheduledJob.DoesNotExist:
            raise NotFound from None
        return _shown(by, schedule_id)


@extend_schema(parameters=[_SCHEDULE_ID])
class PauseView(APIView):
    """Lets no time of the schedule come until it is resumed."""

    permission_classes = [in_scope("jobs")]

    @extend_schema(
        summary="Pause a schedule",
        request=None,
        responses={200: ScheduleOutput, 400: _NOT_NOW, 404: _NOT_THERE},
    )
    def post(self, request: Request, schedule_id: str) -> Response:
        by = find_rights(request.user)
        found = access.own_schedule(by, schedule_id=schedule_id)
        try:
            schedules.pause_schedule(found.pk, origin=origin_of(request), now=timezone.now())
        except NotAllowedNow as refused:
            return Response({"error": str(refused)}, status=400)
        except ScheduledJob.DoesNotExist:
            raise NotFound from None
        return _shown(by, schedule_id)


@extend_schema(parameters=[_SCHEDULE_ID])
class ResumeView(APIView):
    """Lets the times of a schedule come again; what passed meanwhile is not made up for."""

    permission_classes = [in_scope("jobs")]

    @extend_schema(
        summary="Resume a schedule",
        request=None,
        responses={200: ScheduleOutput, 400: _NOT_NOW, 403: _FORBIDDEN, 404: _NOT_THERE},
    )
    def post(self, request: Request, schedule_id: str) -> Response:
        by = find_rights(request.user)
        found = access.resumed_schedule(by, schedule_id=schedule_id)
        try:
            schedules.resume_schedule(found.pk, origin=origin_of(request), now=timezone.now())
        except NotAllowedNow as refused:
            return Response({"error": str(refused)}, status=400)
        except ScheduledJob.DoesNotExist:
            raise NotFound from None
        return _shown(by, schedule_id)


@extend_schema(parameters=[_SCHEDULE_ID])
class RunNowView(APIView):
    """Makes the job of a schedule at once, beside its own times."""

    permission_classes = [in_scope("jobs")]

    @extend_schema(
        summary="Run a schedule now",
        request=None,
        responses={
            201: ExecutionOutput,
            400: OpenApiResponse(description="The job is refused, or the schedule is over."),
            403: _FORBIDDEN,
            404: _NOT_THERE,
        },
    )
    def post(self, request: Request, schedule_id: str) -> Response:
        by = find_rights(request.user)
        found = access.resumed_schedule(by, schedule_id=schedule_id)
        try:
            made = executions.run_now(found.pk, origin=origin_of(request), now=timezone.now())
        except NotAllowedNow as refused:
            return Response({"error": str(refused)}, status=400)
        except ScheduledJob.DoesNotExist:
            raise NotFound from None
        if made.outcome == ScheduledExecution.Outcome.REFUSED:
            return Response({"error": made.message}, status=400)
        return Response(ExecutionOutput(made).data, status=201)


@extend_schema(parameters=[_SCHEDULE_ID])
class ExecutionListView(ListAPIView[ScheduledExecution]):
    """What came of the times of a schedule, newest first."""

    permission_classes = [in_scope("jobs")]
    serializer_class = ExecutionOutput

    @extend_schema(
        summary="The executions of a schedule", responses={200: ExecutionOutput, 404: _NOT_THERE}
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[ScheduledExecution]:
        by = find_rights(self.request.user)
        found = access.own_schedule(by, schedule_id=self.kwargs["schedule_id"])
        return queries.executions_of(found.pk)


def _with_template(by: Rights, given: dict[str, Any]) -> dict[str, Any]:
    """A valid body with the template in place of its id.

    Raises:
        PermissionDenied: The caller may not submit there.
        ValidationError: The template is not there.
    """
    values = {name: value for name, value in given.items() if (name, value) != ("user_token", "")}
    if "template" in values:
        values["template"] = access.named_template(by, template_id=values["template"])
    return values


def _shown(by: Rights, schedule_id: str) -> Response:
    return Response(ScheduleOutput(access.own_schedule(by, schedule_id=schedule_id)).data)
