"""What is said to a repair and what it says, in text and JSON."""

import argparse
import signal
import sys
from types import FrameType
from typing import Any

from apps.genotypes.repair.orders import Outcome, Repair

__all__ = ["end_tidily", "outcome_json", "parse_repairs"]


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


def end_tidily() -> None:
    """Let a request to end (SIGTERM) unwind the run, so that it removes what it has begun."""
    signal.signal(signal.SIGTERM, _end)


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
