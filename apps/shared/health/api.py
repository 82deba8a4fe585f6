"""Probes for supervisors and load balancers, which say nothing about versions, hosts or users.

The metrics say more, so only our own networks see them.
"""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView

from apps.shared.api.addresses import is_within
from apps.shared.api.hops import UNKNOWN_PROXY
from apps.shared.health.checks import failing_dependencies

__all__ = ["alive", "metrics", "ready"]


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


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The metrics of this process for Prometheus; 404 outside `METRICS_ALLOW`.

    A request through a proxy that is not trusted is outside: it hides whose address it is.
    """
    address = request.META.get("REMOTE_ADDR", "")
    if request.META.get(UNKNOWN_PROXY) or not is_within(address, settings.METRICS_ALLOW):
        raise Http404
    answer: HttpResponse = ExportToDjangoView(request)
    return answer
