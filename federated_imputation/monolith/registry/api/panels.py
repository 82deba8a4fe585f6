"""Reference panels, read only.

Lists show what is active; a single row is shown either way, so that the links of old jobs keep
working.
"""

from typing import Any

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
from apps.shared.api.numbers import Id
from apps.shared.identity.permissions import in_scope
from federated_imputation.monolith.registry import queries
from federated_imputation.monolith.registry.api.services import shown_service
from federated_imputation.monolith.registry.models import ImputationService, ReferencePanel

__all__ = ["PanelListView", "PanelView", "ServicePanelsView"]


class PanelListView(ListAPIView[ReferencePanel]):
    """The active reference panels."""

    permission_classes = [AllowAny]

    class PanelFilters(Filters):
        service = Id(required=False, default=None, source="service_id")
        population = serializers.CharField(
            required=False, default="", max_length=100, help_text="A part of it, in any case."
        )
        build = serializers.CharField(
            required=False, default="", max_length=20, help_text="Exactly this one."
        )

    class Panel(serializers.Serializer[ReferencePanel]):
        id = serializers.IntegerField()
        name = serializers.CharField()
        panel_id = serializers.CharField()
        description = serializers.CharField()
        population = serializers.CharField()
        populations = serializers.ListField(
            child=serializers.CharField(),
            allow_null=True,
            help_text="Populations that a job may name; null when the service was never asked.",
        )
        build = serializers.CharField()
        samples_count = serializers.IntegerField(allow_null=True)
        variants_count = serializers.IntegerField(allow_null=True)
        is_active = serializers.BooleanField()
        service = serializers.IntegerField(source="service_id")
        service_name = serializers.CharField(source="service.name")
        service_type = serializers.ChoiceField(
            choices=ImputationService.ServiceType.choices, source="service.service_type"
        )
        created_at = serializers.DateTimeField()
        updated_at = serializers.DateTimeField()

    serializer_class = Panel

    @extend_schema(parameters=[PanelFilters])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[ReferencePanel]:
        return queries.panels(**self.PanelFilters.of(self.request))


class PanelView(APIView):
    """One reference panel."""

    permission_classes = [AllowAny]

    @extend_schema(responses=PanelListView.Panel)
    def get(self, request: Request, panel_id: int) -> Response:
        try:
            panel = queries.get_panel(panel_id=panel_id)
        except queries.UnknownPanel:
            raise NotFound from None
        return Response(PanelListView.Panel(panel).data)


class ServicePanelsView(APIView):
    """The active panels of one service, all at once."""

    permission_classes = [in_scope("registry")]

    class ServicePanelFilters(Filters):
        population = serializers.CharField(
            required=False, default="", max_length=100, help_text="A part of it, in any case."
        )
        build = serializers.CharField(
            required=False, default="", max_length=20, help_text="Exactly this one."
        )

    @extend_schema(parameters=[ServicePanelFilters], responses=PanelListView.Panel(many=True))
    def get(self, request: Request, service_id: int) -> Response:
        wanted = self.ServicePanelFilters.of(request)
        found = queries.panels(service_id=shown_service(service_id).pk, **wanted)
        return Response([PanelListView.Panel(panel).data for panel in found])
