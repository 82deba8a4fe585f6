"""`python -m apps.genotypes.repair`: repairs of one file in a process of its own.

Prints JSON lines: `{"progress": percent}` as it goes, and last either what was made and done or why
not: `{"made": […], "done": […]}` or `{"refused": finding}`. It ends with status 0 when it has said
one of these, else with another and a sentence on standard error.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from apps.genotypes.builds import BUILDS
from apps.genotypes.repair.orders import Order
from apps.genotypes.repair.refusals import Refused
from apps.genotypes.repair.run import repair
from apps.genotypes.repair.words import end_tidily, outcome_json, parse_repairs

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    order = _parse(arguments)
    end_tidily()
    try:
        outcome = repair(order, lambda percent: _print({"progress": percent}))
    except Refused as refused:
        _print({"refused": asdict(refused.finding(order.name))})
    except OSError as error:
        print(f"{order.name}: {error.strerror or error}.", file=sys.stderr)  # noqa: T201
        return 1
    else:
        _print(outcome_json(outcome))
    return 0


def _parse(arguments: Sequence[str]) -> Order:
    parser = argparse.ArgumentParser(prog="python -m apps.genotypes.repair")
    parser.add_argument("file", type=Path)
    parser.add_argument("--into", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--name", metavar="SHOWN_NAME")
    parser.add_argument("--do", type=parse_repairs, required=True, metavar="REPAIR,…")
    parser.add_argument("--build", choices=BUILDS)
    parser.add_argument("--panel", type=Path, metavar="FOLDER_OF_SITE_TABLES")
    given = parser.parse_args(arguments)
    return Order(
        file=given.file,
        name=given.name or given.file.name,
        into=given.into,
        repairs=given.do,
        build=given.build,
        panel=given.panel,
    )


def _print(value: dict[str, Any]) -> None:
    print(json.dumps(value), flush=True)  # noqa: T201 - this is how it speaks


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
