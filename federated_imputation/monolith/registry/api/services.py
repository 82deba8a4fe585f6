"""Services: read by everybody, made and changed by few (`registry.access`).

Lists show what is active; a single row is shown either way, so that the links of old jobs keep
working. No secret is in any answer.
"""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.shared.api.bodies import Body
from apps.shared.api.filters import Filters
from apps.shared.api.origin import origin_of
from apps.shared.http.errors import Refused
from apps.shared.identity.permissions import covers
from federated_imputation.monolith.accounts.queries import Capability, RightAtService, find_rights
from federated_imputation.monolith.registry import operations, presentation, queries
from federated_imputation.monolith.registry.access import ChangesService, MakesServices, OpenToRead
from federated_imputation.monolith.registry.api.refusals import answering_refusals
from federated_imputation.monolith.registry.health.queries import shown_status
from federated_imputation.monolith.registry.hosts import refuse_uncallable
from federated_imputation.monolith.registry.masking import holds_secret
from federated_imputation.monolith.registry.models import ImputationService
from federated_imputation.monolith.registry.standing import standing_shown

__all__ = ["INVALID", "Service", "ServiceInput", "ServiceListView", "ServiceView", "shown_service"]

INVALID = OpenApiResponse(description="What is wrong, by field.")
_IN_USE = OpenApiResponse(description="The service has jobs that are not over.")
_FORBIDDEN = OpenApiResponse(
    description="The caller may not change the service, or not these fields of it."
)
_FORMATS = (
    *("vcf", "vcf.gz", "plink", "bed", "bim", "fam"),
    *("bgen", "gen", "haps", "legend", "sample"),
)


@extend_schema_field({"type": "object", "additionalProperties": {}})
class _Settings(serializers.JSONField):
    """An object with any keys."""


class ServiceInput(Body):
    """What can be written of a service; a field that is left out stays as it is."""

    name = serializers.CharField(min_length=3, max_length=100)
    service_type = serializers.ChoiceField(choices=ImputationService.ServiceType.choices)
    api_type = serializers.ChoiceField(choices=ImputationService.ApiType.choices)
    api_url = serializers.URLField(
        max_length=200, help_text="http or https, without user name and password."
    )
    description = serializers.CharField(required=False, allow_blank=True)
    location = serializers.CharField(required=False, allow_blank=True, max_length=200)
    continent = serializers.CharField(required=False, allow_blank=True, max_length=50)
    is_active = serializers.BooleanField(required=False)
    api_key_required = serializers.BooleanField(
        required=False, help_text="Whether each user needs a token of their own there."
    )
    api_key = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=500,
        write_only=True,
        help_text="The platform's own token there, kept encrypted; empty forgets it.",
    )
    max_file_size_mb = serializers.IntegerField(required=False, min_value=1, max_value=10_000)
    supported_formats = serializers.ListField(
        child=serializers.ChoiceField(choices=_FORMATS), required=False, max_length=50
    )
    api_config = _Settings(required=False, help_text="Of its API; none of them a secret.")

    def validate_api_url(self, api_url: str) -> str:
        try:
            refuse_uncallable(api_url, allow=settings.GUARDED_HTTP_ALLOW)
        except Refused as refused:
            raise serializers.ValidationError(str(refused)) from None
        return api_url

    def validate_supported_formats(self, formats: list[str]) -> list[str]:
        return list(dict.fromkeys(formats))

    def validate_api_config(self, config: Any) -> dict[str, Any]:
        if not isinstance(config, dict):
            raise serializers.ValidationError("This must be an object.")
        if holds_secret(config):
            raise serializers.ValidationError(
                "A secret has no place here; send the token of the service as `api_key`."
            )
        return config


class Service(serializers.Serializer[ImputationService]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    service_type = serializers.ChoiceField(choices=ImputationService.ServiceType.choices)
    api_type = serializers.ChoiceField(choices=ImputationService.ApiType.choices)
    api_url = serializers.SerializerMethodField()
    description = serializers.CharField()
    location = serializers.CharField()
    continent = serializers.CharField()
    is_active = serializers.BooleanField()
    api_key_required = serializers.BooleanField()
    max_file_size_mb = serializers.IntegerField()
    supported_formats = serializers.SerializerMethodField()
    reference_panels_count = serializers.IntegerField()
    api_config = serializers.SerializerMethodField()
    health_status = serializers.SerializerMethodField()
    health_message = serializers.SerializerMethodField(
        help_text="Since when it does not answer jobs and when it is tried again; else empty."
    )
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def get_api_url(self, service: ImputationService) -> str:
        return presentation.public_url(service.api_url)

    def get_supported_formats(self, service: ImputationService) -> list[str]:
        return presentation.formats(service.supported_formats)

    def get_api_config(self, service: ImputationService) -> dict[str, Any]:
        shown = presentation.public_config(service.api_config)
        # A legacy column may hold any JSON.
        return shown if isinstance(shown, dict) else {}

    def get_health_status(self, service: ImputationService) -> str:
        return presentation.health_status(
            standing_shown(service),
            last=shown_status(service),
            checks_are_running=settings.BACKGROUND_CHECKS,
        )

    def get_health_message(self, service: ImputationService) -> str:
        return presentation.health_message(standing_shown(service))


class WrittenService(serializers.Serializer[Any]):
    message = serializers.CharField()
    service = Service()


class ServiceListView(OpenToRead, ListAPIView[ImputationService]):
    """The active services, and the way to make one.

    With `is_active=false` those who manage services, and staff, get the others; who has a right at
    a service gets it when it is inactive.
    """

    permission_classes = [MakesServices]

    class ServiceFilters(Filters):
        is_active = serializers.BooleanField(required=False, allow_null=True, default=None)
        service_type = serializers.ChoiceField(
            choices=ImputationService.ServiceType.choices, required=False, default=""
        )
        api_type = serializers.ChoiceField(
            choices=ImputationService.ApiType.choices, required=False, default=""
        )
        continent = serializers.CharField(
            required=False, default="", max_length=50, help_text="Exactly this one, in any case."
        )
        search = serializers.CharField(
            required=False,
            default="",
            max_length=200,
            help_text="A part of the name, the description, the location or the continent.",
        )

    serializer_class = Service

    @extend_schema(summary="The active services", parameters=[ServiceFilters])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Make a service",
        request=ServiceInput,
        responses={201: WrittenService, 400: INVALID},
    )
    def post(self, request: Request) -> Response:
        given = ServiceInput(data=request.data)
        given.is_valid(raise_exception=True)
        with answering_refusals():
            service = operations.create_service(
                wanted=given.validated_data,
                by=find_rights(request.user),
                origin=origin_of(request),
                now=timezone.now(),
            )
        return Response(_written("Service created", service), status=201)

    def get_queryset(self) -> QuerySet[ImputationService]:
        wanted = self.ServiceFilters.of(self.request)
        if wanted.pop("is_active") is False and covers(self.request, "registry"):
            rights = find_rights(self.request.user)
            if self.request.user.is_staff or rights.may(Capability.MANAGE_SERVICES):
                return queries.services(is_active=False, **wanted)
            viewed = rights.services_with(RightAtService.VIEW)
            if viewed:
                return queries.services(is_active=False, among=viewed, **wanted)
        return queries.services(**wanted)


class ServiceView(OpenToRead):
    """One service."""

    permission_classes = [ChangesService]

    class Force(Filters):
        force = serializers.BooleanField(
            required=False,
            default=False,
            help_text="Delete it for good, with its panels and jobs; else it is switched off.",
        )

    @extend_schema(summary="One service", responses=Service)
    def get(self, request: Request, service_id: int) -> Response:
        return Response(Service(shown_service(service_id)).data)

    @extend_schema(
        summary="Change a service",
        request=ServiceInput,
        responses={200: WrittenService, 400: INVALID, 403: _FORBIDDEN},
    )
    def put(self, request: Request, service_id: int) -> Response:
        return self._update(request, service_id)

    @extend_schema(
        summary="Change fields of a service",
        request=ServiceInput(partial=True),
        responses={200: WrittenService, 400: INVALID, 403: _FORBIDDEN},
    )
    def patch(self, request: Request, service_id: int) -> Response:
        return self._update(request, service_id)

    @extend_schema(
        summary="Switch a service off, or delete it",
        parameters=[Force],
        responses={200: WrittenService, 204: None, 400: _IN_USE},
    )
    def delete(self, request: Request, service_id: int) -> Response:
        with answering_refusals():
            kept = operations.delete_service(
                service_id=service_id,
                force=self.Force.of(request)["force"],
                by=find_rights(request.user),
                origin=origin_of(request),
                now=timezone.now(),
            )
        if kept is None:
            return Response(status=204)
        return Response(_written("Service deactivated", kept))

    def _update(self, request: Request, service_id: int) -> Response:
        given = ServiceInput(data=request.data, partial=request.method == "PATCH")
        given.is_valid(raise_exception=True)
        with answering_refusals():
            service = operations.update_service(
                service_id=service_id,
                wanted=given.validated_data,
                by=find_rights(request.user),
                origin=origin_of(request),
                now=timezone.now(),
            )
        return Response(_written("Service updated", service))


def _written(message: str, service: ImputationService) -> dict[str, Any]:
    """The body of an answer to a write."""
    return {"message": message, "service": Service(service).data}


def shown_service(service_id: int) -> ImputationService:
    """The service, or a 404."""
    try:
        return queries.get_service(service_id=service_id)
    except queries.UnknownService:
        raise NotFound from None
