"""Templates: the settings of jobs under a name, one's own and those that others share."""

from collections.abc import Mapping
from functools import partial
from typing import Any

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

from apps.shared.api.filters import Filters
from apps.shared.api.numbers import Id
from apps.shared.api.origin import origin_of
from apps.shared.api.parsers import FormParser, JSONParser, MultiPartParser
from apps.shared.identity.caller import caller_id
from apps.shared.identity.permissions import in_scope
from federated_imputation.monolith.accounts.queries import find_rights
from federated_imputation.monolith.jobs.access import refuse_submission
from federated_imputation.monolith.jobs.api import JobListView
from federated_imputation.monolith.jobs.once import KEY_PARAMETER, KEY_REFUSALS, once
from federated_imputation.monolith.jobs.operations import InvalidJob
from federated_imputation.monolith.jobs.plans import access, queries
from federated_imputation.monolith.jobs.plans.models import LONGEST_NAME, JobTemplate
from federated_imputation.monolith.jobs.plans.operations import templates as operations
from federated_imputation.monolith.jobs.plans.presentation import (
    SettingsFields,
    TemplateOutput,
    user_token,
)

__all__ = ["TemplateListView", "TemplateUseView", "TemplateView"]

_TEMPLATE_ID = OpenApiParameter("template_id", OpenApiTypes.UUID, OpenApiParameter.PATH)
_NOT_THERE = OpenApiResponse(description="No such template, or not one that the caller may see.")
_INVALID = OpenApiResponse(description="What is wrong, by field.")
_FORBIDDEN = OpenApiResponse(description="Neither the role nor a right allows it here.")
_NOT_OWNED = OpenApiResponse(description="Only the owner of a template changes or deletes it.")


class TemplateListView(ListAPIView[JobTemplate]):
    """The caller's templates and the public ones, newest first, and the way to make one."""

    permission_classes = [in_scope("jobs")]
    serializer_class = TemplateOutput

    class TemplateFilters(Filters):
        service = Id(required=False, source="service_id")
        search = serializers.CharField(required=False)
        is_public = serializers.BooleanField(required=False, allow_null=True, default=None)

    class TemplateInput(SettingsFields):
        name = serializers.CharField(max_length=LONGEST_NAME)
        description = serializers.CharField(required=False, allow_blank=True)
        service = Id()
        reference_panel = Id()
        is_public = serializers.BooleanField(
            required=False, help_text="Whether everybody may see and use it."
        )

    @extend_schema(
        summary="The caller's templates and the public ones", parameters=[TemplateFilters]
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Make a template",
        request=TemplateInput,
        responses={201: TemplateOutput, 400: _INVALID, 403: _FORBIDDEN},
    )
    def post(self, request: Request) -> Response:
        given = self.TemplateInput(data=request.data)
        given.is_valid(raise_exception=True)
        by = find_rights(request.user)
        refuse_submission(by, service_id=given.validated_data["service"])
        try:
            template = operations.create_template(
                user_id=caller_id(request),
                new=operations.NewTemplate(**given.validated_data),
                origin=origin_of(request),
                now=timezone.now(),
            )
        except InvalidJob as refused:
            raise ValidationError(refused.errors) from None
        return Response(TemplateOutput(template).data, status=201)

    def get_queryset(self) -> QuerySet[JobTemplate]:
        return queries.templates(
            user_id=caller_id(self.request), **self.TemplateFilters.of(self.request)
        )


@extend_schema(parameters=[_TEMPLATE_ID])
class TemplateView(APIView):
    """One template that the caller may see; its owner changes and deletes it."""

    permission_classes = [in_scope("jobs")]

    class TemplateEdit(SettingsFields):
        name = serializers.CharField(max_length=LONGEST_NAME, required=False)
        description = serializers.CharField(required=False, allow_blank=True)
        service = Id(required=False)
        reference_panel = Id(required=False)
        is_public = serializers.BooleanField(
            required=False, help_text="Whether everybody may see and use it."
        )

    @extend_schema(summary="One template", responses={200: TemplateOutput, 404: _NOT_THERE})
    def get(self, request: Request, template_id: str) -> Response:
        found = access.seen_template(find_rights(request.user), template_id=template_id)
        return Response(TemplateOutput(found).data)

    @extend_schema(
        summary="Write one's own template anew",
        request=TemplateListView.TemplateInput,
        responses={200: TemplateOutput, 400: _INVALID, 403: _NOT_OWNED, 404: _NOT_THERE},
    )
    def put(self, request: Request, template_id: str) -> Response:
        return self._edit(request, template_id, TemplateListView.TemplateInput)

    @extend_schema(
        summary="Change one's own template",
        request=TemplateEdit,
        responses={200: TemplateOutput, 400: _INVALID, 403: _NOT_OWNED, 404: _NOT_THERE},
    )
    def patch(self, request: Request, template_id: str) -> Response:
        return self._edit(request, template_id, self.TemplateEdit)

    @extend_schema(
        summary="Delete one's own template",
        description="Jobs and batches that were made from it stay; schedules of it say so.",
        responses={204: None, 403: _NOT_OWNED, 404: _NOT_THERE},
    )
    def delete(self, request: Request, template_id: str) -> Response:
        template = access.own_template(find_rights(request.user), template_id=template_id)
        try:
            operations.delete_template(
                template.pk,
                user_id=caller_id(request),
                origin=origin_of(request),
                now=timezone.now(),
            )
        except JobTemplate.DoesNotExist:
            raise NotFound from None
        return Response(status=204)

    def _edit(self, request: Request, template_id: str, body: type[SettingsFields]) -> Response:
        by = find_rights(request.user)
        template = access.own_template(by, template_id=template_id)
        given = body(data=request.data)
        given.is_valid(raise_exception=True)
        refuse_submission(by, service_id=given.validated_data.get("service", template.service_id))
        try:
            operations.edit_template(
                template.pk,
                changes=given.validated_data,
                user_id=caller_id(request),
                origin=origin_of(request),
                now=timezone.now(),
            )
        except InvalidJob as refused:
            raise ValidationError(refused.errors) from None
        except JobTemplate.DoesNotExist:
            raise NotFound from None
        return Response(TemplateOutput(access.seen_template(by, template_id=template_id)).data)


@extend_schema(parameters=[_TEMPLATE_ID])
class TemplateUseView(APIView):
    """Makes a job from a template; every check of an ordinary job applies."""

    permission_classes = [in_scope("jobs")]
    parser_classes = [MultiPartParser, FormParser, JSONParser]

    class TemplateUseInput(SettingsFields):
        name = serializers.CharField(max_length=LONGEST_NAME)
        description = serializers.CharField(required=False, allow_blank=True)
        input_file = serializers.FileField(
            required=False,
            max_length=255,
            error_messages={"required": "This field is required."},
            help_text="The genotypes; needed unless `genotype_file` names them.",
        )
        genotype_file = serializers.UUIDField(
            required=False, help_text="A file of `/api/files/` instead of an upload."
        )
        user_token = user_token(about="Your API token at the service")

        def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
            fields = super().get_fields()
            given = getattr(self, "initial_data", None)
            if isinstance(given, Mapping) and "genotype_file" not in given:
                fields["input_file"].required = True
            return fields

    @extend_schema(
        summary="Submit a job made from a template",
        description="What is left out is as the template has it.",
        parameters=[KEY_PARAMETER],
        request={"multipart/form-data": OpenApiRequest(TemplateUseInput)},
        responses={
            201: JobListView.CreatedJob,
            400: _INVALID,
            403: _FORBIDDEN,
            404: _NOT_THERE,
            **KEY_REFUSALS,
        },
    )
    def post(self, request: Request, template_id: str) -> Response:
        return once(request, partial(self._submit, template_id=template_id))

    def _submit(self, request: Request, *, template_id: str) -> Response:
        by = find_rights(request.user)
        template = access.usable_template(by, template_id=template_id)
        given = self.TemplateUseInput(data=request.data)
        given.is_valid(raise_exception=True)
        values = dict(given.validated_data)
        own = {
            name: values.pop(name)
            for name in ("name", "input_file", "genotype_file", "user_token")
            if name in values
        }
        try:
            job = operations.use_template(
                template,
                user_id=caller_id(request),
                use=operations.TemplateUse(**own, overrides=values),
                origin=origin_of(request),
                now=timezone.now(),
            )
        except InvalidJob as refused:
            raise ValidationError(refused.errors) from None
        return Response(JobListView.CreatedJob(job).data, status=201)
