"""Recorded examples: what our own server answered, without what differs from run to run."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from apps.contracts import examples
from apps.contracts.shapes import differences
from tests.contract.runner import Outcome

__all__ = ["example_of", "record", "scrubbed", "stale_example"]

_FOLDER: Final = Path(examples.__file__).parent
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_UUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_NAME: Final = re.compile(r"contract-[0-9a-f]{8}(?:-\d+)?")
_TOKEN_ID: Final = re.compile(r"(?<=/)\d+(?=/)")
_SECRET: Final = frozenset(
    {
        "access_token",
        "new_password",
        "password",
        "password_confirm",
        "refresh_token",
        "request_id",
        "session_id",
        "task_id",
        "user_token",
    }
)
_OF_THE_RUN: Final = frozenset({"resource_id", "user_agent"})
# Numbers that name rows, and those that count what the rows before made.
_NUMBERS: Final = frozenset(
    {
        "accessible_services",
        "available_services",
        "count",
        "granted_by",
        "created_by",
        "deactivated",
        "deleted",
        "added_by",
        "id",
        "job",
        "monthly_jobs_used",
        "permissions",
        "reference_panel",
        "service",
        "service_id",
        "service_ids",
        "role_id",
        "user",
        "user_id",
    }
)
# Whether there are more pages depends on what the rows before made.
_LINKS: Final = frozenset({"next", "previous"})
_KEPT: Final = 2  # elements of a list


def scrubbed(value: Any, *, key: str = "") -> Any:
    """`value` with one id, moment, name and secret for all of each, and short lists."""
    match value:
        case _ if key in _LINKS:
            return None
        case dict():
            return {name: scrubbed(inner, key=name) for name, inner in value.items()}
        case list() | tuple():
            return [scrubbed(inner, key=key) for inner in value[:_KEPT]]
        case str() if key in _SECRET:
            return "…" if value else ""
        case str() if key in _OF_THE_RUN:
            return "1"
        case str():
            plain = _TIME.sub("2026-01-01T00:00:00Z", value)
            plain = _UUID.sub("5f0e8a52-6c0b-4a6e-9d55-0f6f1d1f7a10", plain)
            return _TOKEN_ID.sub("1", _NAME.sub("example", plain))
        case int() if key in _NUMBERS and not isinstance(value, bool):
            return 1
        case _:
            return value


def example_of(outcome: Outcome) -> dict[str, Any] | None:
    """The example that this outcome makes, None when it makes none."""
    if not outcome.row.example or outcome.answer is None or outcome.differences:
        return None
    step = outcome.row.asked[0]
    request: dict[str, Any] = {
        "method": step.method,
        "path": _path(outcome.row.endpoint),
        "auth": "none" if step.by == "anonymous" else "session",
    }
    if step.query:
        request["query"] = sorted(step.query)
    if outcome.sent is not None:
        request["json" if step.sends_json else "form"] = scrubbed(outcome.sent)
    return {
        "section": "2.1",
        "request": request,
        "status": outcome.answer.status,
        "body": scrubbed(outcome.answer.body),
    }


def record(outcomes: Iterable[Outcome]) -> None:
    """Write the examples of these outcomes beside those of `apps.contracts.examples`."""
    for outcome in outcomes:
        example = example_of(outcome)
        if example is not None:
            path = _FOLDER / f"{outcome.row.example}.json"
            path.parent.mkdir(exist_ok=True)
            path.write_text(
                json.dumps(example, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
            )


def stale_example(outcome: Outcome) -> list[str]:
    """Where the recorded example is not true any more: keys that are gone, other types.

    Keys that were added meanwhile do not make it untrue.
    """
    example = example_of(outcome)
    if example is None:
        return []
    path = _FOLDER / f"{outcome.row.example}.json"
    if not path.is_file():
        return [f"{path.name} is not recorded"]
    recorded = json.loads(path.read_text(encoding="utf-8"))
    return [each for each in differences(recorded, example) if not each.endswith(" is unknown")]


def _path(endpoint: str) -> str:
    path = endpoint.partition(" ")[2]
    return path if path.startswith("/") else f"/api/{path}"
