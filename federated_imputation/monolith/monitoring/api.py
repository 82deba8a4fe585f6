"""How the platform is: for load balancers, for people, and for those who keep it.

What the machine and the database measure says how much it takes to bring them down, so staff and
those who manage services see it; everybody else who is signed in sees how the services are.
"""

from typing import Any, Final

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.shared.api.bodies import Body
from apps.shared.api.filters import Filters
from apps.shared.identity.permissions import SignedIn
from federated_imputation.monolith.accounts.queries import Capability, find_rights
from federated_imputation.monolith.monitoring import queries
from federated_imputation.monolith.monitoring.checks import Level, overall
from federated_imputation.monolith.registry.health.queries import shown_status

__all__ = ["EchoView", "MetricsView", "MonitoringDashboardView", "MonitoringHealthView"]

_LONGEST_ECHO: Final = 500  # as UTF-8 in an address that is 6 KB, and 8 are too much
_LEVELS: Final = [level.value for level in Level]


class MachineOutput(serializers.Serializer[Any]):
    cpu_count = serializers.IntegerField()
    cpu_percent = serializers.FloatField(allow_null=True)
    memory_total = serializers.IntegerField()
    memory_available = serializers.IntegerField()
    memory_percent = serializers.FloatField()
    disk_total = serializers.IntegerField()
    disk_free = serializers.IntegerField()
    disk_percent = serializers.FloatField()


class DatabaseOutput(serializers.Serializer[Any]):
    size = serializers.IntegerField()
    connections = serializers.IntegerField()
    active_connections = serializers.IntegerField()
    most_connections = serializers.IntegerField()


class MetricsView(APIView):
    """Metrics of the machine, the database and the services.

    `system` and `database` are null for all but staff and those who manage services.
    """

    permission_classes = [SignedIn]

    class MetricsOutput(serializers.Serializer[Any]):
        class ServiceCounts(serializers.Serializer[Any]):
            active_services = serializers.IntegerField()
            healthy_services = serializers.IntegerField()

        timestamp = serializers.DateTimeField()
        system = MachineOutput(allow_null=True)
        database = DatabaseOutput(allow_null=True)
        application = ServiceCounts()

    @extend_schema(responses=MetricsOutput)
    def get(self, request: Request) -> Response:
        now, sees_all = timezone.now(), _keeps_the_platform(request)
        services = queries.services_now(now=now)
        healthy = sum(shown_status(each.service) == "healthy" for each in services)
        output = {
            "timestamp": now,
            "system": queries.machine_now() if sees_all else None,
            "database": queries.database_now() if sees_all else None,
            "application": {"active_services": len(services), "healthy_services": healthy},
        }
        return Response(self.MetricsOutput(output).data)


class LevelOutput(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=_LEVELS)


class MeasuredOutput(LevelOutput):
    value = serializers.FloatField(allow_null=True)
    threshold = serializers.FloatField(allow_null=True)


class MonitoringDashboardView(APIView):
    """How the platform and its services are, on one page.

    `checks` is null for all but staff and those who manage services.
    """

    permission_classes = [SignedIn]

    class MonitoringDashboard(serializers.Serializer[Any]):
        class WatchedService(serializers.Serializer[Any]):
            id = serializers.IntegerField()
            name = serializers.CharField()
            health_status = serializers.CharField()
            checks_24h = serializers.IntegerField()
            uptime_24h = serializers.FloatField(
                allow_null=True, help_text="Per cent of the checks that found it up."
            )
            mean_response_time_ms = serializers.FloatField(allow_null=True)

        timestamp = serializers.DateTimeField()
        overall_status = serializers.ChoiceField(choices=_LEVELS)
        checks = serializers.DictField(child=MeasuredOutput(), allow_null=True)
        services = WatchedService(many=True)

    @extend_schema(responses=MonitoringDashboard)
    def get(self, request: Request) -> Response:
        now, checks = timezone.now(), queries.checks_now()
        output = {
            "timestamp": now,
            "overall_status": overall(checks),
            "checks": checks if _keeps_the_platform(request) else None,
            "services": [
                {
                    "id": each.service.pk,
                    "name": each.service.name,
                    "health_status": shown_status(each.service) or "unknown",
                    "checks_24h": each.past.checks if each.past else 0,
                    "uptime_24h": each.past.uptime if each.past else None,
                    "mean_response_time_ms": each.past.response_time_ms if each.past else None,
                }
                for each in queries.services_now(now=now)
            ],
        }
        return Response(self.MonitoringDashboard(output).data)


class MonitoringHealthView(APIView):
    """How the platform is: 200 while it serves, degraded or not, else 503.

    Says which check is not well and nothing of what was measured. Needs no database itself.
    """

    permission_classes = [AllowAny]
    authentication_classes = []

    class PlatformHealth(serializers.Serializer[Any]):
        timestamp = serializers.DateTimeField()
        overall_status = serializers.ChoiceField(choices=_LEVELS)
        checks = serializers.DictField(child=LevelOutput())

    @extend_schema(responses={200: PlatformHealth, 503: PlatformHealth})
    def get(self, request: Request) -> Response:
        checks = queries.checks_now()
        found = overall(checks)
        output = {"timestamp": timezone.now(), "overall_status": found, "checks": checks}
        status = 503 if found is Level.UNHEALTHY else 200
        return Response(self.PlatformHealth(output).data, status=status)


class EchoView(APIView):
    """What was sent: the method and `text`, never a header.

    Nobody is asked who he is, so that nothing of a session can be in the answer.
    """

    permission_classes = [AllowAny]
    authentication_classes = []

    class EchoFilter(Filters):
        text = serializers.CharField(
            required=False, default="", max_length=_LONGEST_ECHO, trim_whitespace=False
        )

    class EchoBody(Body):
        text = serializers.CharField(
            required=False,
            default="",
            allow_blank=True,
            max_length=_LONGEST_ECHO,
            trim_whitespace=False,
        )

    class Echo(serializers.Serializer[Any]):
        status = serializers.ChoiceField(choices=["ok"])
        method = serializers.ChoiceField(choices=["GET", "POST"])
        text = serializers.CharField()
        timestamp = serializers.DateTimeField()

    @extend_schema(parameters=[EchoFilter], responses=Echo)
    def get(self, request: Request) -> Response:
        """The text of the query."""
        return self._echo("GET", self.EchoFilter.of(request)["text"])

    @extend_schema(request=EchoBody, responses=Echo)
    def post(self, request: Request) -> Response:
        """The text of the body."""
        given = self.EchoBody(data=request.data)
        given.is_valid(raise_exception=True)
        return self._echo("POST", given.validated_data["text"])

    def _echo(self, method: str, text: str) -> Response:
        output = {
            "status": "ok",
            "method": method,
            "text": text,
            "timestamp": timezone.now(),
        }
        return Response(self.Echo(output).data, headers={"Cache-Control": "no-store"})


def _keeps_the_platform(request: Request) -> bool:
    rights = find_rights(request.user)
    return bool(request.user.is_staff) or rights.may(Capability.MANAGE_SERVICES)
