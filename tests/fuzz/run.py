"""Schemathesis against the real API, as several actors at once.

Every actor has a server process, a database and a data folder of its own, so that none can
destroy what another one stands on.
"""

import json
import shutil
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.served import create_database, fill, of_database, serving

__all__ = ["ACTORS", "Outcome", "fuzz", "table"]

ACTORS = ("anonymous", "researcher", "admin")
_TEMPLATE = "fuzz_template"
_HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one actor saw.

    Attributes:
        succeeded: There was no finding, and the server wrote of no error in its log.
        output: Of schemathesis, and the errors in the log.
        statuses: By operation (`GET /api/jobs/`), how often each status was answered.
        failed: Operations with a finding.
        seconds: From the first request to the last.
    """

    actor: str
    succeeded: bool
    output: str
    statuses: Mapping[str, Counter[int]]
    failed: frozenset[str]
    seconds: float


def fuzz(
    actors: Sequence[str],
    *,
    options: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
) -> list[Outcome]:
    """Run schemathesis as each of `actors`, all at once.

    Args:
        options: Of `schemathesis run`.
        environment: Points the monolith at running servers, as `tests.servers` makes it.
        folder: Holds, by actor, the events, the server's log and its data; must be empty.
    """
    given = {
        **environment,
        "DJANGO_SETTINGS_MODULE": "tests.fuzz.settings",
        # A set of strings has the same order in every run with the same seed.
        "PYTHONHASHSEED": "0",
    }
    template = of_database(given, _TEMPLATE, folder / "template")
    create_database(template, _TEMPLATE)
    fill(template, build="tests.fuzz.world:build")
    with ThreadPoolExecutor(max_workers=len(actors)) as pool:
        return list(pool.map(lambda actor: _as(actor, template, options, folder / actor), actors))


def table(outcomes: Sequence[Outcome]) -> str:
    """Operation by actor: each status and how often it was answered; `!` marks a finding.

    Methods that a path does not have, and that were refused as such, are only counted.
    """
    rows = [["", *(f"{outcome.actor}, {outcome.seconds:.0f} s" for outcome in outcomes)]]
    refused = 0
    for operation in sorted({name for outcome in outcomes for name in outcome.statuses}):
        answers = [outcome.statuses.get(operation, Counter[int]()) for outcome in outcomes]
        if {status for answer in answers for status in answer} == {405}:
            refused += 1
            continue
        marks = ["! " if operation in outcome.failed else "" for outcome in outcomes]
        cells = [" ".join(f"{s}:{n}" for s, n in sorted(answer.items())) for answer in answers]
        rows.append([operation, *(m + cell for m, cell in zip(marks, cells, strict=True))])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, f"and {refused} methods that no path has: 405", ""])


def _as(actor: str, template: Mapping[str, str], options: Sequence[str], folder: Path) -> Outcome:
    own = {**of_database(template, f"fuzz_{actor}", folder / "data"), "FUZZ_ACTOR": actor}
    shutil.copytree(template["MONOLITH_DATA_ROOT"], own["MONOLITH_DATA_ROOT"])
    create_database(own, f"fuzz_{actor}", template=_TEMPLATE)
    events, log = folder / "events.ndjson", folder / "log"
    with serving(own, log) as address:
        started = time.monotonic()
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "--no-color"),
                *("--config-file", str(_HERE / "schemathesis.toml")),
                *("run", f"{address}/api/schema/?format=json", "--url", address),
                *("--report", "ndjson", "--report-ndjson-path", str(events)),
                *options,
            ],
            env={**own, "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks"},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - started
    statuses, failed = _read(events) if events.is_file() else ({}, frozenset())
    errors = [line for line in log.read_text().splitlines() if '"level": "ERROR"' in line]
    return Outcome(
        actor=actor,
        succeeded=done.returncode == 0 and not errors,
        output="\n".join([done.stdout, *errors]),
        statuses=statuses,
        failed=failed,
        seconds=seconds,
    )


def _read(events: Path) -> tuple[dict[str, Counter[int]], frozenset[str]]:
    """How often each operation answered what, and the operations with a finding."""
    statuses: dict[str, Counter[int]] = defaultdict(Counter)
    failed: set[str] = set()
    with events.open() as lines:
        for line in lines:
            finished = json.loads(line).get("ScenarioFinished")
            if finished is None:
                continue
            recorder = finished["recorder"]
            labels = {
                key: f"{case['value']['method']} {case['value']['path']}"
                for key, case in recorder.get("cases", {}).items()
            }
            for key, exchange in recorder.get("interactions", {}).items():
                if exchange["response"] is not None:
                    statuses[labels[key]][exchange["response"]["status_code"]] += 1
            failed |= {
                labels[key]
                for key, checks in recorder.get("checks", {}).items()
                if any(check["status"] != "success" for check in checks)
            }
    return dict(statuses), frozenset(failed)
