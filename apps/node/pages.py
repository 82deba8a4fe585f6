"""The node's one page for people."""

import logging

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.node import queries
from apps.node.michigan import application
from apps.node.pipeline.panels import PanelError

__all__ = ["status_page"]

logger = logging.getLogger(__name__)


@require_safe
def status_page(request: HttpRequest) -> HttpResponse:
    """Name, version, panels, queue and maintenance; nothing about users or their jobs."""
    try:
        panels, broken = queries.panels(), False
    except PanelError as error:
        logger.error("A reference panel cannot be read: %s", error)
        panels, broken = [], True
    response = render(
        request,
        "node/status.html",
        {
            "title": settings.NODE_TITLE,
            "version": settings.VERSION,
            "application": f"{application.NAME} {application.VERSION}",
            "panels": panels,
            "broken": broken,
            "queue_length": queries.queue_length(),
            "maintenance": queries.in_maintenance(),
        },
    )
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return response
