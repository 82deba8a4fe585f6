"""Services.

Lists show what is active; a single row is shown either way, so that the links of old jobs keep
working. No secret is in any answer.
"""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.shared.api.filters import Filters
from apps.shared.identity.permissions import covers
from federated_imputation.monolith.accounts.queries import Capability, RightAtService, find_rights
from federated_imputation.monolith.registry import presentation, queries
from federated_imputation.monolith.registry.models import ImputationService
from federated_imputation.monolith.registry.standing import standing_shown

__all__ = ["ServiceListView", "ServiceView", "shown_service"]


class ServiceListView(ListAPIView[ImputationService]):
    """The active services.

    With `is_active=false` those who manage services, and staff, get the others; who has a right at
    a service gets it when it is inactive.
    """

    permission_classes = [AllowAny]

    class ServiceFilters(Filters):
        is_active = serializers.BooleanField(required=False, allow_null=True, default=None)
        service_type = serializers.CharField(required=False, default="")
        api_type = serializers.CharField(required=False, default="")
        search = serializers.CharField(required=False, default="")

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
        supported_formats = serializers.ListField(child=serializers.CharField())
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

        def get_api_config(self, service: ImputationService) -> dict[str, Any]:
            shown: dict[str, Any] = presentation.public_config(service.api_config)
            return shown

        def get_health_status(self, service: ImputationService) -> str:
            return presentation.health_status(
                standing_shown(service), checks_are_running=settings.BACKGROUND_CHECKS
            )

        def get_health_message(self, service: ImputationService) -> str:
            return presentation.health_message(standing_shown(service))

    serializer_class = Service

    @extend_schema(parameters=[ServiceFilters])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

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


class ServiceView(APIView):
    """One service."""

    permission_classes = [AllowAny]

    @extend_schema(responses=ServiceListView.Service)
    def get(self, request: Request, service_id: int) -> Response:
        return Response(ServiceListView.Service(shown_service(service_id)).data)


def shown_service(service_id: int) -> ImputationService:
    """The service, or a 404."""
    try:
        return queries.get_service(service_id=service_id)
    except queries.UnknownService:
        raise NotFound from None
