"""Example messages of the APIs that two sides of this platform must read alike."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.contracts.shapes import JSON, differences

__all__ = ["Example", "load"]


@dataclass(frozen=True, kw_only=True)
class Example:
    """One request and its answer.

    Attributes:
        name: Of the file, `job-running`.
        section: Of the description, `1.5`.
        method, path: Of the request.
        auth: `token` (API token), `session` (of a login) or `none`.
        form: Fields of the request's form.
        json: The request's body, when it is JSON.
        status: Of the answer.
        body: Of the answer.
        nullable: Places in `body` that may also be null.
    """

    name: str
    section: str
    method: str
    path: str
    auth: str
    status: int
    body: Any
    form: dict[str, str]
    json: JSON
    nullable: tuple[str, ...]

    def differences(self, body: JSON) -> list[str]:
        """Where `body` has other keys or types than this example; [] if nowhere."""
        return differences(self.body, body, nullable=self.nullable)


def load(api: str) -> dict[str, Example]:
    """Every example of `api` (a folder beside this file) by its name, in the order of names."""
    folder = Path(__file__).parent / api
    examples = {}
    for path in sorted(folder.glob("*.json")):
        message = json.loads(path.read_text(encoding="utf-8"))
        request = message["request"]
        examples[path.stem] = Example(
            name=path.stem,
            section=message["section"],
            method=request["method"],
            path=request["path"],
            auth=request["auth"],
            form=request.get("form", {}),
            json=request.get("json"),
            status=message["status"],
            body=message["body"],
            nullable=tuple(message.get("nullable", ())),
        )
    return examples
