"""What a browser may do with an answer."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

__all__ = ["BrowserPolicyMiddleware"]

_HEADERS: Final = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(
        f"{feature}=()"
        for feature in ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")
    ),
}


class BrowserPolicyMiddleware(CSPMiddleware):
    """Sets the policies that Django has no setting for.

    The Content-Security-Policy is `CONTENT_SECURITY_POLICY`, or that of
    `CONTENT_SECURITY_POLICY_OF` whose path the request begins with. A view may set a stricter one.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        super().__init__(get_response)

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        answer: HttpResponseBase = super().process_response(request, response)
        for name, value in _HEADERS.items():
            answer.headers[name] = value
        return answer

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if report_only or parts.config is not None:
            return parts
        return replace(parts, config=_policy_of(request.path))


def _policy_of(path: str) -> dict[str, Any] | None:
    policies: dict[str, dict[str, Any]] = settings.CONTENT_SECURITY_POLICY_OF
    return next((policies[prefix] for prefix in policies if path.startswith(prefix)), None)
