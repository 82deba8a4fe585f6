"""`manage.py audit verify`: whether the audit log is what the database sealed."""

import json
import sys
from argparse import ArgumentTypeError
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from federated_imputation.monolith.accounts.queries import (
    AuditHead,
    AuditReport,
    verify_audit_log,
)

__all__ = ["Command"]


class Command(BaseCommand):
    help = "Check the audit log against its chain of seals; exit 1 when it was tampered with."

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_subparsers(dest="which", required=True)
        verify = which.add_parser("verify", help="recompute the whole chain")
        verify.add_argument("--json", action="store_true", help="print one JSON object")
        verify.add_argument(
            "--expect-head",
            type=_head,
            metavar="POSITION:DIGEST",
            help="a head printed by an earlier run, through which the chain must lead",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        report = verify_audit_log(expected=options["expect_head"])
        self.stdout.write(_as_json(report) if options["json"] else _as_text(report))
        if report.fault is not None:
            sys.exit(1)


def _head(text: str) -> AuditHead:
    try:
        return AuditHead.parse(text)
    except ValueError:
        raise ArgumentTypeError("a head is POSITION:DIGEST, as `audit verify` prints it") from None


def _as_json(report: AuditReport) -> str:
    return json.dumps({"ok": report.fault is None, **asdict(report)})


def _as_text(report: AuditReport) -> str:
    if report.fault is not None:
        fault = report.fault
        where = "outside the chain" if fault.position is None else f"at position {fault.position}"
        which = "" if fault.audit_id is None else f" (audit row {fault.audit_id})"
        return f"Broken {where}{which}: {fault.kind}. Good up to {report.head or 'nothing'}."
    return (
        f"Good: {report.sealed} rows as they were sealed, {report.unsealed} from before the chain."
        f" Head: {report.head or 'none'}"
    )
