"""Numbers for the start page, and the health answers of the legacy system."""

import logging
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.shared.api.origin import origin_of
from apps.shared.api.passing import passing
from apps.shared.health.checks import failing_dependencies
from apps.shared.identity.permissions import covers
from federated_imputation.monolith.accounts.operations import record_read
from federated_imputation.monolith.accounts.queries import find_rights
from federated_imputation.monolith.dashboard import queries
from federated_imputation.monolith.jobs.presentation import JobOutput
from federated_imputation.monolith.registry.queries import ApiType, ServiceType

__all__ = [
    "DashboardHealthView",
    "LegacyAliveView",
    "LegacyReadyView",
    "ServicesOverviewView",
    "StatsView",
]


logger = logging.getLogger(__name__)


class StatsView(APIView):
    """The caller's own jobs in numbers, or everybody's; zeros for an anonymous caller.

    Who may see all jobs by role is told of all of them, and a look at those of others is audited as
    in the list of jobs. An API token without `jobs:read` counts as anonymous. While the database
    does not answer, all is zero and `status` says `fallback`: the start page then still is one.
    """

    permission_classes = [AllowAny]

    class StatsOutput(serializers.Serializer[Any]):
        class JobStats(serializers.Serializer[Any]):
            total = serializers.IntegerField()
            completed = serializers.IntegerField()
            running = serializers.IntegerField()
            failed = serializers.IntegerField()
            success_rate = serializers.FloatField()

        class ServiceStats(serializers.Serializer[Any]):
            available_services = serializers.IntegerField()
            accessible_services = serializers.IntegerField()

        job_stats = JobStats(source="*")
        service_stats = ServiceStats(source="*")
        recent_jobs = JobOutput(many=True)
        status = serializers.ChoiceField(choices=["success", "fallback"], default="success")
        timestamp = serializers.DateTimeField(default=timezone.now)

    @extend_schema(responses=StatsOutput)
    def get(self, request: Request) -> Response:
        by = find_rights(request.user if covers(request, "jobs") else AnonymousUser())
        stats = queries.stats(by)
        record_read(
            resource_type="job",
            ids=[job.pk for job in stats.recent_jobs if job.user_id != by.user_id],
            user_id=by.user_id,
            origin=origin_of(request),
            now=timezone.now(),
        )
        return Response(self.StatsOutput(stats).data)

    def handle_exception(self, exc: Exception) -> Response:
        """As always, but for a lost database, which may be missed before `get` is reached, too."""
        found = passing(exc)
        if found is None or found.status != 503:
            return super().handle_exception(exc)
        logger.warning("The dashboard has no numbers: %s", found.title)
        told = dict(self.StatsOutput(queries.NOTHING_KNOWN).data)
        return Response({**told, "status": "fallback"})


class ServicesOverviewView(APIView):
    """The active services and what they offer."""

    permission_classes = [AllowAny]

    class OverviewOutput(serializers.Serializer[Any]):
        id = serializers.IntegerField()
        name = serializers.CharField()
        service_type = serializers.ChoiceField(choices=ServiceType.choices)
        api_type = serializers.ChoiceField(choices=ApiType.choices)
        location = serializers.CharField()
        continent = serializers.CharField()
        populations = serializers.ListField(child=serializers.CharField())
        builds = serializers.ListField(child=serializers.CharField())
        reference_panels_count = serializers.IntegerField()

    @extend_schema(responses=OverviewOutput(many=True))
    def get(self, request: Request) -> Response:
        return Response(self.OverviewOutput(queries.overview_services(), many=True).data)


class DashboardHealthView(APIView):
    """200 when the dashboard can answer."""

    permission_classes = [AllowAny]

    class DashboardHealthOutput(serializers.Serializer[Any]):
        status = serializers.ChoiceField(choices=["healthy"])
        timestamp = serializers.DateTimeField()

    @extend_schema(responses=DashboardHealthOutput)
    def get(self, request: Request) -> Response:
        output = {"status": "healthy", "timestamp": timezone.now()}
        return Response(self.DashboardHealthOutput(output).data)


class LegacyAliveView(APIView):
    """200 as soon as the process answers at all."""

    permission_classes = [AllowAny]
    authentication_classes = []

    class AliveOutput(serializers.Serializer[Any]):
        status = serializers.ChoiceField(choices=["healthy"])
        timestamp = serializers.DateTimeField()
        version = serializers.CharField()
        environment = serializers.CharField()

    @extend_schema(responses=AliveOutput)
    def get(self, request: Request) -> Response:
        output = {
            "status": "healthy",
            "timestamp": timezone.now(),
            "version": settings.VERSION,
            "environment": settings.ENVIRONMENT,
        }
        return Response(self.AliveOutput(output).data)


class LegacyReadyView(APIView):
    """200 when database and cache answer, else 503."""

    permission_classes = [AllowAny]
    authentication_classes = []

    class ReadyOutput(serializers.Serializer[Any]):
        class ReadyChecks(serializers.Serializer[Any]):
            database = serializers.ChoiceField(choices=["healthy", "unhealthy"])
            cache = serializers.ChoiceField(choices=["healthy", "unhealthy"])

        status = serializers.ChoiceField(choices=["ready", "not ready"])
        timestamp = serializers.DateTimeField()
        checks = ReadyChecks()

    @extend_schema(responses={200: ReadyOutput, 503: ReadyOutput})
    def get(self, request: Request) -> Response:
        failing = failing_dependencies()
        output = {
            "status": "not ready" if failing else "ready",
            "timestamp": timezone.now(),
            "checks": {
                name: "unhealthy" if name in failing else "healthy"
                for name in ("database", "cache")
            },
        }
        return Response(self.ReadyOutput(output).data, status=503 if failing else 200)
