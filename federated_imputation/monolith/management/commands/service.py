"""`manage.py service check|sync`: whether services answer, and what they offer."""

import json
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.federation.protocol import FederationError
from federated_imputation.monolith.registry.operations import (
    SyncUnderWay,
    check_service,
    sync_panels,
)
from federated_imputation.monolith.registry.queries import UnknownService, services

__all__ = ["Command"]

_Report = dict[str, Any]


class Command(BaseCommand):
    help = "Ask imputation services what they offer. Without ids: all active ones."

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_subparsers(dest="which", required=True)
        for name, what in (
            ("check", "whether they answer, and how many panels they offer; changes nothing"),
            ("sync", "synchronise their panels now"),
        ):
            command = which.add_parser(name, help=what)
            command.add_argument("services", type=int, nargs="*", metavar="SERVICE", help="its id")
            command.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        act = _check if options["which"] == "check" else _sync
        ids = options["services"] or [service.pk for service in services()]
        reports = [_report(service_id, act) for service_id in ids]
        if options["json"]:
            self.stdout.write(json.dumps({"services": reports}))
        else:
            for report in reports:
                self.stdout.write(_line(report))
        failed = [str(report["service"]) for report in reports if not report["ok"]]
        if failed:
            raise CommandError(f"Failed: {', '.join(failed)}.")


def _report(service_id: int, act: Callable[[int], _Report]) -> _Report:
    try:
        return {"service": service_id, "ok": True, **act(service_id)}
    except UnknownService:
        problem = "There is no such service."
    except SyncUnderWay:
        problem = "Its panels are being synchronised already."
    except FederationError as error:
        problem = str(error) or type(error).__name__
    return {"service": service_id, "ok": False, "problem": problem}


def _check(service_id: int) -> _Report:
    found = check_service(service_id=service_id)
    return {
        "version": found.version,
        "panels": len(found.panels),
        "in_maintenance": found.in_maintenance,
    }


def _sync(service_id: int) -> _Report:
    done = sync_panels(service_id=service_id)
    return {
        "added": list(done.added),
        "changed": list(done.changed),
        "withdrawn": list(done.withdrawn),
        "skipped": list(done.skipped),
    }


def _line(report: _Report) -> str:
    if not report["ok"]:
        return f"{report['service']}: {report['problem']}"
    told = {name: value for name, value in report.items() if name not in {"service", "ok"}}
    words = ", ".join(
        f"{name} {len(value) if isinstance(value, list) else value}"
        for name, value in told.items()
        if value != ""
    )
    return f"{report['service']}: {words}"
