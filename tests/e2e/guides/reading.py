"""Reads a guide: what its reader types, in either language, and the answers that it promises.

A guide is a Markdown page whose fenced blocks have these languages:

* `sh` sets what only the reader knows, each as an exported variable;
* `bash` and `python` are typed, in order; each of the two is a way through the whole guide;
* `json` is what the block of either language before it prints.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

__all__ = ["BadGuide", "Guide", "Language", "Step", "find_guides", "read_guide"]

Language = Literal["bash", "python"]

_FENCE: Final = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_WAYS: Final[dict[str, Language]] = {language: language for language in get_args(Language)}
_EXPORTED: Final = re.compile(r"\bexport (\w+)")
_SCOPE: Final = re.compile(r"`((?:account|files|jobs|registry):(?:read|write))`")


class BadGuide(Exception):
    """A page that cannot be followed; the message says where and why."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One block that the reader types.

    Attributes:
        line: Of the page, where the block begins; from 1.
        answer: The JSON that it must print something like; `None` when the page shows none.
    """

    line: int
    text: str
    answer: Any = None


@dataclass(frozen=True, kw_only=True)
class Guide:
    """A page that is followed.

    Attributes:
        given: Names of the variables that the reader sets.
        scopes: Those that the page says a token needs, before the first block that is typed.
        ways: The blocks of each language, in order.
    """

    name: str
    given: frozenset[str]
    scopes: frozenset[str]
    ways: dict[Language, tuple[Step, ...]]


def find_guides(folder: Path) -> list[Guide]:
    """The pages below `folder` that can be followed in Python, by name.

    Raises:
        BadGuide: One of them cannot be followed with curl, or not at all.
    """
    pages = {path: path.read_text() for path in sorted(folder.glob("*.md"))}
    return [
        read_guide(path.stem, page)
        for path, page in pages.items()
        if any(language == "python" for language, _, _ in _blocks(page))
    ]


def read_guide(name: str, page: str) -> Guide:
    """The guide in a page of Markdown.

    Raises:
        BadGuide: A language is missing, an answer is no JSON, or belongs to no block.
    """
    ways: dict[Language, list[Step]] = {language: [] for language in _WAYS.values()}
    given: set[str] = set()
    unanswered: list[Language] = []
    first_line = None
    for language, line, text in _blocks(page):
        if language == "sh":
            given.update(_EXPORTED.findall(text))
        elif language == "json":
            if not unanswered:
                raise BadGuide(f"{name}, line {line}: an answer to nothing.")
            answer = _answer(name, line, text)
            for way in unanswered:
                ways[way][-1] = replace(ways[way][-1], answer=answer)
            unanswered = []
        elif language in _WAYS:
            way = _WAYS[language]
            first_line = first_line or line
            ways[way].append(Step(line=line, text=text))
            unanswered = [other for other in unanswered if other != way] + [way]
    if missing := [language for language, steps in ways.items() if not steps]:
        raise BadGuide(f"{name} has nothing in {', '.join(missing)}.")
    introduction = "".join(page.splitlines(keepends=True)[: first_line or 0])
    return Guide(
        name=name,
        given=frozenset(given),
        scopes=frozenset(_SCOPE.findall(introduction)),
        ways={language: tuple(steps) for language, steps in ways.items()},
    )


def _blocks(page: str) -> Iterator[tuple[str, int, str]]:
    """Language, line and text of each fenced block; a block in a list loses its indent."""
    for found in _FENCE.finditer(page):
        indent = len(found["indent"])
        lines = [line[indent:] for line in found["text"].splitlines()]
        yield found["language"], page.count("\n", 0, found.start()) + 1, "\n".join(lines) + "\n"


def _answer(name: str, line: int, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise BadGuide(f"{name}, line {line}: this is no JSON: {error}") from None
