"""Synchronising the panels of a service, and what came of it.

Whoever is signed in may want a synchronisation, as in the legacy system: it brings nothing but what
the service itself says, and one at a time.
"""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.shared.api.origin import origin_of
from apps.shared.identity.caller import caller_id
from apps.shared.identity.permissions import in_scope
from federated_imputation.monolith.registry import operations, presentation, queries
from federated_imputation.monolith.registry.api.refusals import answering_refusals
from federated_imputation.monolith.registry.api.services import shown_service
from federated_imputation.monolith.registry.models import ServiceSync

__all__ = ["SyncPanelsView", "SyncStatusView"]

_NOT_THERE = OpenApiResponse(description="No such service.")


class SyncPanelsView(APIView):
    """Wants the panels of a service synchronised; `sync_status` tells what comes of it."""

    permission_classes = [in_scope("registry")]

    class SyncRequested(serializers.Serializer[Any]):
        message = serializers.CharField()
        task_id = serializers.UUIDField()

    @extend_schema(
        summary="Want the panels of a service synchronised",
        request=None,
        responses={202: SyncRequested, 404: _NOT_THERE},
    )
    def post(self, request: Request, service_id: int) -> Response:
        with answering_refusals():
            task_id = operations.request_sync(
                service_id=service_id,
                user_id=caller_id(request),
                origin=origin_of(request),
                now=timezone.now(),
            )
        output = {"message": "Synchronisation of the panels requested", "task_id": task_id}
        return Response(self.SyncRequested(output).data, status=202)


class SyncStatusView(APIView):
    """What came of the last synchronisation of a service's panels."""

    permission_classes = [in_scope("registry")]

    class SyncStatus(serializers.Serializer[ServiceSync]):
        service = serializers.IntegerField(source="service_id")
        state = serializers.SerializerMethodField()
        started_at = serializers.DateTimeField(allow_null=True)
        finished_at = serializers.DateTimeField(
            allow_null=True, help_text="Of the last one that is over; the counts are its own."
        )
        added = serializers.IntegerField()
        changed = serializers.IntegerField()
        withdrawn = serializers.IntegerField(
            help_text="Panels that the service offered before; they are inactive now."
        )
        message = serializers.CharField(help_text="Why it failed, or what was left out.")

        def get_state(self, sync: ServiceSync) -> presentation.SyncState:
            return presentation.sync_state(
                wanted_at=sync.wanted_at,
                started_at=sync.started_at,
                lease_until=sync.lease_until,
                outcome=sync.outcome,
                now=timezone.now(),
            )

    @extend_schema(
        summary="What came of the last synchronisation",
        responses={200: SyncStatus, 404: _NOT_THERE},
    )
    def get(self, request: Request, service_id: int) -> Response:
        found = queries.sync_of(service_id=shown_service(service_id).pk)
        return Response(self.SyncStatus(found).data)
