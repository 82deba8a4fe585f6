"""Whether services are up, and what is believed of that.

Everybody who is signed in may ask; a service is troubled no more often for it (`health.states`).
The answer about a service that is known is 200 whatever it does, and repeats nothing of what was
fetched from its address.
"""

from datetime import datetime
from math import ceil
from typing import Any, Final

from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import APIException, NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.federation.probing import Status
from apps.shared.api.filters import Filters
from apps.shared.api.origin import origin_of
from apps.shared.identity.caller import caller_id
from apps.shared.identity.permissions import SignedIn, in_scope
from federated_imputation.monolith.accounts.queries import Capability, find_rights
from federated_imputation.monolith.registry.health import operations, queries
from federated_imputation.monolith.registry.health.cache import CacheAway
from federated_imputation.monolith.registry.health.states import (
    NOT_CHECKED,
    OFFLINE_FOR,
    OFFLINE_FOR_SYSTEM,
    ONLINE_FOR,
    Asker,
    State,
    believed_for,
)
from federated_imputation.monolith.registry.models import ImputationService
from federated_imputation.monolith.registry.presentation import health_message
from federated_imputation.monolith.registry.queries import UnknownService, get_service
from federated_imputation.monolith.registry.standing import standing_shown

__all__ = [
    "CacheInfoView",
    "CacheStatsView",
    "ClearAllCacheView",
    "ClearCacheView",
    "HealthAllView",
    "HealthView",
]

_UNKNOWN: Final = "unknown"
_STATUSES: Final = [*(status.value for status in Status), _UNKNOWN, NOT_CHECKED]
_AWAY: Final = OpenApiResponse(description="The cache does not answer.")


class CacheUnavailable(APIException):
    """503 for what only the cache can do."""

    status_code = 503
    default_detail = "Not possible now: the cache does not answer. Try again later."
    default_code = "unavailable"


class ManagesServices(SignedIn):
    """Who manages services by role; no API token."""

    needed = Capability.MANAGE_SERVICES

    def has_permission(self, request: Request, view: APIView) -> bool:
        return super().has_permission(request, view) and find_rights(request.user).may(self.needed)


class ForceFilter(Filters):
    force = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Check now; but not within 10 seconds of the check before.",
    )


class CacheInfo(serializers.Serializer[Any]):
    cached = serializers.BooleanField(help_text="Whether no check was made for this answer.")
    checked_at = serializers.DateTimeField(allow_null=True)
    age_seconds = serializers.IntegerField(allow_null=True)
    ttl_seconds = serializers.IntegerField(allow_null=True)
    expires_in_seconds = serializers.IntegerField(
        allow_null=True, help_text="0 when it is not believed any more."
    )
    forced = serializers.BooleanField()


class ServiceHealthOutput(serializers.Serializer[Any]):
    service_id = serializers.IntegerField()
    service_name = serializers.CharField()
    status = serializers.ChoiceField(choices=_STATUSES)
    message = serializers.CharField()
    test_url = serializers.CharField(help_text="What was asked; '' when nothing was.")
    response_time_ms = serializers.FloatField(required=False)
    error = serializers.CharField(required=False)
    note = serializers.CharField(required=False)
    cache_info = CacheInfo()


class HealthView(APIView):
    """Whether a service is up."""

    permission_classes = [in_scope("registry")]

    @extend_schema(parameters=[ForceFilter], responses=ServiceHealthOutput)
    def get(self, request: Request, service_id: int) -> Response:
        force = ForceFilter.of(request)["force"]
        (answer,) = operations.check_services([_service(service_id)], force=force)
        return Response(_told(answer, force=force, now=timezone.now()))


class HealthAllView(APIView):
    """Whether the active services are up."""

    permission_classes = [in_scope("registry")]

    class HealthAllOutput(serializers.Serializer[Any]):
        timestamp = serializers.DateTimeField()
        total = serializers.IntegerField()
        healthy = serializers.IntegerField()
        services = ServiceHealthOutput(many=True)

    @extend_schema(parameters=[ForceFilter], responses=HealthAllOutput)
    def get(self, request: Request) -> Response:
        force = ForceFilter.of(request)["force"]
        answers = operations.check_services(list(queries.watched()), force=force)
        now = timezone.now()
        told = [_told(answer, force=force, now=now) for answer in answers]
        output = {
            "timestamp": now,
            "total": len(told),
            "healthy": sum(each["status"] == Status.HEALTHY for each in told),
            "services": told,
        }
        return Response(self.HealthAllOutput(output).data)


class CacheInfoView(APIView):
    """What is believed of a service without asking it."""

    permission_classes = [in_scope("registry")]

    class CacheInfoOutput(serializers.Serializer[Any]):
        service_id = serializers.IntegerField()
        service_name = serializers.CharField()
        cache_info = CacheInfo()

    @extend_schema(responses=CacheInfoOutput)
    def get(self, request: Request, service_id: int) -> Response:
        service, now = _service(service_id), timezone.now()
        state = queries.known([service], by=Asker.USER, now=now).get(service.pk)
        output = {
            "service_id": service.pk,
            "service_name": service.name,
            "cache_info": _cache_info(state, is_cached=state is not None, forced=False, now=now),
        }
        return Response(self.CacheInfoOutput(output).data)


class ClearCacheView(APIView):
    """Forget what is believed of a service, so that who asks next has it checked."""

    permission_classes = [in_scope("registry")]

    class Cleared(serializers.Serializer[Any]):
        message = serializers.CharField()
        service_id = serializers.IntegerField()
        cleared = serializers.BooleanField(help_text="Whether there was something to forget.")

    @extend_schema(request=None, responses={200: Cleared, 503: _AWAY})
    def post(self, request: Request, service_id: int) -> Response:
        service = _service(service_id)
        try:
            cleared = operations.forget_one(service)
        except CacheAway:
            raise CacheUnavailable from None
        output = {
            "message": f"Cache cleared for {service.name}",
            "service_id": service.pk,
            "cleared": cleared,
        }
        return Response(self.Cleared(output).data)


class CacheStatsView(APIView):
    """Of how many active services something is believed, and for how long it would be."""

    permission_classes = [in_scope("registry")]

    class CacheStats(serializers.Serializer[Any]):
        class Lifetimes(serializers.Serializer[Any]):
            online = serializers.IntegerField()
            offline_user = serializers.IntegerField()
            offline_system = serializers.IntegerField()

        timestamp = serializers.DateTimeField()
        total_services = serializers.IntegerField()
        cached_services = serializers.IntegerField()
        uncached_services = serializers.IntegerField()
        online_services = serializers.IntegerField()
        offline_services = serializers.IntegerField()
        ttl_seconds = Lifetimes()

    @extend_schema(responses=CacheStats)
    def get(self, request: Request) -> Response:
        services, now = list(queries.watched()), timezone.now()
        known = queries.known(services, by=Asker.USER, now=now)
        online = sum(state.status == Status.HEALTHY for state in known.values())
        output = {
            "timestamp": now,
            "total_services": len(services),
            "cached_services": len(known),
            "uncached_services": len(services) - len(known),
            "online_services": online,
            "offline_services": len(known) - online,
            "ttl_seconds": {
                "online": _seconds(ONLINE_FOR.total_seconds()),
                "offline_user": _seconds(OFFLINE_FOR.total_seconds()),
                "offline_system": _seconds(OFFLINE_FOR_SYSTEM.total_seconds()),
            },
        }
        return Response(self.CacheStats(output).data)


class ClearAllCacheView(APIView):
    """Forget what is believed of all services; audited."""

    permission_classes = [ManagesServices]

    class AllCleared(serializers.Serializer[Any]):
        message = serializers.CharField()
        cleared_count = serializers.IntegerField()

    @extend_schema(request=None, responses={200: AllCleared, 503: _AWAY})
    def post(self, request: Request) -> Response:
        try:
            cleared = operations.forget_all(
                user_id=caller_id(request), origin=origin_of(request), now=timezone.now()
            )
        except CacheAway:
            raise CacheUnavailable from None
        output = {"message": "Cache cleared for all services", "cleared_count": cleared}
        return Response(self.AllCleared(output).data)


def _service(service_id: int) -> ImputationService:
    try:
        return get_service(service_id=service_id)
    except UnknownService:
        raise NotFound from None


def _told(answer: operations.Answer, *, force: bool, now: datetime) -> dict[str, Any]:
    state, service = answer.state, answer.service
    notes = (answer.note, health_message(standing_shown(service)))
    told: dict[str, Any] = {
        "service_id": service.pk,
        "service_name": service.name,
        "status": _UNKNOWN,
        "message": "The health of the service is not known.",
        "test_url": "",
        "note": " ".join(note for note in notes if note),
    }
    if state is not None:
        told |= {
            "status": state.status,
            "message": state.message,
            "test_url": state.test_url,
            "response_time_ms": state.response_time_ms,
            "error": state.error,
        }
    if answer.is_resting:
        told |= {"status": NOT_CHECKED, "message": "The service was not checked."}
    told["cache_info"] = _cache_info(state, is_cached=answer.is_cached, forced=force, now=now)
    shown = {name: value for name, value in told.items() if name in _ALWAYS or value}
    output: dict[str, Any] = ServiceHealthOutput(shown).data
    return output


_ALWAYS: Final = frozenset(
    {"service_id", "service_name", "status", "message", "test_url", "cache_info"}
)


def _cache_info(
    state: State | None, *, is_cached: bool, forced: bool, now: datetime
) -> dict[str, Any]:
    if state is None:
        times: dict[str, Any] = dict.fromkeys(
            ("checked_at", "age_seconds", "ttl_seconds", "expires_in_seconds")
        )
    else:
        lifetime = believed_for(state.status, by=Asker.USER)
        times = {
            "checked_at": state.checked_at,
            "age_seconds": _seconds((now - state.checked_at).total_seconds()),
            "ttl_seconds": _seconds(lifetime.total_seconds()),
            "expires_in_seconds": _seconds((state.checked_at + lifetime - now).total_seconds()),
        }
    return {"cached": is_cached and state is not None, **times, "forced": forced}


def _seconds(seconds: float) -> int:
    return max(0, ceil(seconds))
