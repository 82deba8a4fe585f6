"""The node's one page for people."""

import logging
import shutil
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.node import queries
from apps.node.michigan import application
from apps.node.pipeline.panels import PanelError
from apps.node.pipeline.phasing_programs import find_program

__all__ = ["engines", "status_page"]

logger = logging.getLogger(__name__)

_PHASING = {"eagle": "Eagle", "beagle": "Beagle"}


@require_safe
def status_page(request: HttpRequest) -> HttpResponse:
    """Panels, engines, limits and how busy the node is; nothing about users or their jobs."""
    try:
        panels, broken = queries.panels(), False
    except PanelError as error:
        logger.error("A reference panel cannot be read: %s", error)
        panels, broken = [], True
    imputation, phasing = engines()
    response = render(
        request,
        "node/status.html",
        {
            "title": settings.NODE_TITLE,
            "version": settings.VERSION,
            "application": f"{application.NAME} {application.VERSION}",
            "panels": [(each, f"{each.samples:,}", f"{each.sites:,}") for each in panels],
            "broken": broken,
            "queue_length": queries.queue_length(),
            "running": queries.running_jobs(),
            "slots": settings.NODE_WORKERS,
            "maintenance": queries.in_maintenance(),
            "imputation": imputation,
            "phasing": phasing,
            "limits": _limits(),
        },
    )
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return response


def engines(
    find: Callable[[str], str | None] = shutil.which,
    find_phasing: Callable[[str], str | None] = find_program,
) -> tuple[str, list[str]]:
    """The engine that imputes here, and those that phase; looked for, not started.

    Args:
        find, find_phasing: Where a program is; None when it is not installed.
    """
    wants_own = settings.NODE_ENGINE == "numpy" or find("minimac4") is None
    imputation = "numpy Li-Stephens" if wants_own else "minimac4"
    return imputation, [name for program, name in _PHASING.items() if find_phasing(program)]


def _limits() -> list[tuple[str, str]]:
    return [
        ("Samples of a job", f"{settings.NODE_MIN_SAMPLES:,} to {settings.NODE_MAX_SAMPLES:,}"),
        ("Jobs of a user at once", f"{settings.NODE_JOBS_PER_USER:,}"),
        ("Size of a submission", f"{settings.NODE_UPLOAD_LIMIT_MB:,} MB"),
        ("Downloads of a file", f"{settings.NODE_DOWNLOADS:,}"),
        ("Days until the end of results is announced", f"{settings.NODE_NOTICE_DAYS:,}"),
        ("Days until results are deleted", f"{settings.NODE_RETENTION_DAYS:,}"),
    ]
