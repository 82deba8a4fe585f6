"""Submissions that a client may send again: `Idempotency-Key`."""

from collections.abc import Callable

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework.request import Request
from rest_framework.response import Response

from apps.shared.api.idempotency import HEADER, request_key
from apps.shared.identity.caller import caller_id
from federated_imputation.monolith.accounts import operations as accounts

__all__ = ["KEY_PARAMETER", "KEY_REFUSALS", "once"]

KEY_PARAMETER = OpenApiParameter(
    HEADER,
    {"type": "string", "pattern": "^[!-~]{1,255}$"},
    OpenApiParameter.HEADER,
    description=(
        "Your own name for this request, 1 to 255 visible characters. Sent again within a day, it "
        "gives the first answer again, and nothing is created twice."
    ),
)
KEY_REFUSALS = {
    409: OpenApiResponse(description="The first request with this key is still under way."),
    422: OpenApiResponse(description="The key was used for another request."),
}


def once(request: Request, submit: Callable[[Request], Response]) -> Response:
    """What `submit` answers, or answered to the caller's earlier request with the same key."""

    def act() -> accounts.Answer:
        answer = submit(request)
        return accounts.Answer(status=answer.status_code, body=answer.data)

    key = request_key(request, principal=f"user {caller_id(request)}")
    answer = accounts.answered_once(key, act, now=timezone.now())
    headers = {"Idempotent-Replayed": "true"} if answer.is_replayed else None
    return Response(answer.body, status=answer.status, headers=headers)
