"""What a run says: endpoint by outcome, then every difference."""

import json
from collections.abc import Sequence
from typing import Final

from tests.contract.runner import Outcome

__all__ = ["as_json", "table"]

_KINDS: Final = ("success", "refusal", "permission", "edge")


def table(outcomes: Sequence[Outcome], left: Sequence[str]) -> str:
    """One line an endpoint: of each kind of row how many agree, of how many that were tried.

    Args:
        left: What could not be taken away.
    """
    endpoints = list(dict.fromkeys(outcome.row.endpoint for outcome in outcomes))
    lines = [["endpoint", *_KINDS, ""]]
    for endpoint in endpoints:
        of_it = [outcome for outcome in outcomes if outcome.row.endpoint == endpoint]
        cells = [_agreeing([o for o in of_it if o.row.kind == kind]) for kind in _KINDS]
        lines.append([endpoint, *cells, _word(of_it)])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    for outcome in outcomes:
        text += [f"differs: {outcome.row.name}: {each}" for each in outcome.differences]
    text += [f"not tried: {o.row.name}: {o.untried}" for o in outcomes if o.untried]
    text += [f"left behind: {each}" for each in left]
    agreed = sum(outcome.agrees for outcome in outcomes)
    differing = sum(bool(outcome.differences) for outcome in outcomes)
    untried = sum(bool(outcome.untried) for outcome in outcomes)
    text.append(f"{agreed} rows agree, {differing} differ, {untried} were not tried")
    return "\n".join([*text, ""])


def as_json(outcomes: Sequence[Outcome], left: Sequence[str]) -> str:
    """The same for programs."""
    rows = [
        {
            "endpoint": outcome.row.endpoint,
            "kind": outcome.row.kind,
            "title": outcome.row.title,
            "caller": outcome.row.caller,
            "outcome": _word([outcome]),
            "differences": list(outcome.differences),
            "untried": outcome.untried,
        }
        for outcome in outcomes
    ]
    return (
        json.dumps({"rows": rows, "left_behind": list(left)}, indent=2, ensure_ascii=False) + "\n"
    )


def _agreeing(outcomes: Sequence[Outcome]) -> str:
    tried = [outcome for outcome in outcomes if not outcome.untried]
    return f"{sum(o.agrees for o in tried)}/{len(tried)}" if outcomes else ""


def _word(outcomes: Sequence[Outcome]) -> str:
    if any(outcome.differences for outcome in outcomes):
        return "differs"
    return "agrees" if any(outcome.agrees for outcome in outcomes) else "not tried"
