"""`manage.py backfill list|run|status|check`: legacy columns copied to tables of their domains."""

import json
import time
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from federated_imputation.monolith.backfills.catalogue import (
    BACKFILLS,
    MOST_IN_A_BATCH,
    Backfill,
    find_backfill,
)
from federated_imputation.monolith.backfills.models import BackfillProgress
from federated_imputation.monolith.backfills.operations import BATCH, run_backfill
from federated_imputation.monolith.backfills.queries import differences, progress_of

__all__ = ["Command"]

_MOST_TOLD: Final = 20
_WAIT_SECONDS: Final = 1.0


class Command(BaseCommand):
    help = "Copy what legacy columns say to the tables of their domains, on a live database."

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_subparsers(dest="which", required=True)
        for name, what in (
            ("list", "which backfills there are"),
            ("run", "copy what is missing or not equal; goes on where an earlier run was killed"),
            ("status", "how far each is"),
            ("check", "exit 1, and say which, when a copy is not equal"),
        ):
            command = which.add_parser(name, help=what)
            command.add_argument("--json", action="store_true", help="print one JSON object")
            if name != "list":
                command.add_argument(
                    "name", nargs="?", type=_backfill, metavar="NAME", help="only this one"
                )
            if name == "run":
                command.add_argument(
                    "--batch",
                    type=_batch,
                    default=BATCH,
                    metavar="KEYS",
                    help=f"rows in a transaction, 1 to {MOST_IN_A_BATCH} (default {BATCH})",
                )
                command.add_argument(
                    "--pause",
                    type=_seconds,
                    default=0.0,
                    metavar="SECONDS",
                    help="rest between batches, to leave room for others (default 0)",
                )

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = (options["name"],) if options.get("name") else BACKFILLS
        act = {"list": self._list, "run": self._run, "status": self._status, "check": self._check}
        act[options["which"]](chosen, options)

    def _list(self, chosen: Iterable[Backfill], options: dict[str, Any]) -> None:
        report = [{"name": each.name, "what": each.what} for each in chosen]
        self._print(report, options, line=lambda each: f"{each['name']:25} {each['what']}")

    def _status(self, chosen: Iterable[Backfill], options: dict[str, Any]) -> None:
        report = [_report(each.name, progress_of(each), rows=each.count()) for each in chosen]
        self._print(report, options, line=_line)

    def _run(self, chosen: Iterable[Backfill], options: dict[str, Any]) -> None:
        report = []
        for backfill in chosen:
            rows = backfill.count()

            def tell(
                progress: BackfillProgress, name: str = backfill.name, rows: int = rows
            ) -> None:
                if not options["json"]:
                    self.stdout.write(_line(_report(name, progress, rows=rows)))

            progress = run_backfill(
                backfill,
                clock=timezone.now,
                pause=lambda: time.sleep(options["pause"]),
                wait=lambda: time.sleep(max(options["pause"], _WAIT_SECONDS)),
                size=options["batch"],
                tell=tell,
            )
            report.append(_report(backfill.name, progress, rows=rows))
        if options["json"]:
            self._print(report, options, line=_line)
        left = [each["name"] for each in report if each["state"] != "finished"]
        if left:
            raise CommandError(
                f"Others keep rows locked, run it again later: {', '.join(left)}. "
                "See pg_stat_activity for transactions that are open for long."
            )

    def _check(self, chosen: Iterable[Backfill], options: dict[str, Any]) -> None:
        report, unequal = [], 0
        for backfill in chosen:
            found = differences(backfill)
            told = [f"{each.source} is {each.what}" for each in islice(found, _MOST_TOLD)]
            number = len(told) + sum(1 for _ in found)
            unequal += number
            report.append({"name": backfill.name, "differences": number, "first": told})
        self._print(
            report,
            options,
            line=lambda each: "\n  ".join(
                [f"{each['name']:25} {each['differences']:,} differences", *each["first"]]
            ),
        )
        if unequal:
            raise CommandError(
                f"{unequal:,} copies are not equal. `backfill run` mends all but secrets that have "
                "become others, of which `secrets empty-legacy` tells, and bytes that are not what "
                "their checksum says, or cannot be read."
            )

    def _print(
        self,
        report: list[dict[str, Any]],
        options: dict[str, Any],
        *,
        line: Callable[[dict[str, Any]], str],
    ) -> None:
        if options["json"]:
            self.stdout.write(json.dumps({"backfills": report}))
        else:
            self.stdout.write("\n".join(map(line, report)))


def _report(name: str, progress: BackfillProgress | None, *, rows: int) -> dict[str, Any]:
    if progress is None:
        return {"name": name, "state": "never run", "rows": rows}
    return {
        "name": name,
        "state": "under way" if progress.finished_at is None else "finished",
        "rows": rows,
        "pass": progress.passes + (progress.finished_at is None),
        "looked": progress.looked,
        "written": progress.written_in_all,
        "skipped": progress.skipped,
        "started_at": progress.started_at.isoformat(),
        "updated_at": progress.updated_at.isoformat(),
        "finished_at": progress.finished_at and progress.finished_at.isoformat(),
    }


def _line(report: dict[str, Any]) -> str:
    if "pass" not in report:
        return f"{report['name']:25} {report['state']}; {report['rows']:,} rows"
    return (
        f"{report['name']:25} {report['state']}: pass {report['pass']}, looked at "
        f"{report['looked']:,} of {report['rows']:,}, {report['written']:,} written in all, "
        f"{report['skipped']:,} locked by others"
    )


def _backfill(name: str) -> Backfill:
    found = find_backfill(name)
    if found is None:
        names = ", ".join(each.name for each in BACKFILLS)
        raise ArgumentTypeError(f"there is no backfill {name}; there are: {names}")
    return found


def _batch(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= MOST_IN_A_BATCH:
        return int(text)
    raise ArgumentTypeError(f"a batch has 1 to {MOST_IN_A_BATCH} rows")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if 0 <= seconds <= 3600:
        return seconds
    raise ArgumentTypeError("a pause has 0 to 3600 seconds")
