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
from apps.genotypes.repair.orders import Order, Outcome, Repair
from apps.genotypes.repair.refusals import Refused
from apps.genotypes.repair.run import repair

__all__ = ["main", "outcome_json", "parse_repairs"]


def main(arguments: Sequence[str]) -> int:
    order = _parse(arguments)
    try:
        outcome = repair(order, lambda percent: _print({"progress": percent}))
    except Refused as refused:
        _print({"refused": asdict(refused.finding(order.name))})
    except OSError as error:
        print(f"{order.name}: the disk failed ({error.strerror}).", file=sys.stderr)  # noqa: T201
        return 1
    else:
        _print(outcome_json(outcome))
    return 0


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """What was made and done, as the last line says it."""
    return {
        "made": [
            {
                "name": file.name,
                "size": file.size,
                "sha256": file.sha256,
                "chromosome": file.chromosome,
            }
            for file in outcome.made
        ],
        "done": [
            {"repair": done.repair.value, "count": done.count, "text": done.text}
            for done in outcome.done
        ],
    }


def parse_repairs(text: str) -> frozenset[Repair]:
    """The repairs of a list with commas.

    Raises:
        argparse.ArgumentTypeError: one is none; the text says which there are.
    """
    known = {one.value: one for one in Repair}
    words = [word.strip() for word in text.split(",") if word.strip()]
    if unknown := [word for word in words if word not in known]:
        raise argparse.ArgumentTypeError(
            f"{unknown[0]!r} is no repair; there are: {', '.join(known)}"
        )
    return frozenset(known[word] for word in words)


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
