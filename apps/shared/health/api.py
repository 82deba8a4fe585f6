"""Probes for supervisors and load balancers. They say nothing about versions, hosts or users."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from apps.shared.health.checks import failing_dependencies

__all__ = ["alive", "ready"]


@require_safe
def alive(request: HttpRequest) -> JsonResponse:
    """200 as soon as the process answers at all."""
    return JsonResponse({"status": "alive"})


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """200 when the database and the Redis server answer, else 503 naming those that do not."""
    failing = failing_dependencies()
    return JsonResponse(
        {"status": "unavailable" if failing else "ready", "failing": failing},
        status=503 if failing else 200,
    )
