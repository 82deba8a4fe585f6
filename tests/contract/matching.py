"""What an answer must look like, and where one differs from it.

An expectation is a JSON value. In it a type stands for any value of that type, an object names
keys that must be there (others may be beside them: keys are added, never taken away), and the
matchers below say what plain values cannot.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

__all__ = [
    "ABSENT",
    "ANY",
    "TIME",
    "UUID",
    "Contains",
    "Each",
    "Has",
    "Maybe",
    "Not",
    "OneOf",
    "Text",
    "differences",
    "page",
]

_KINDS: Final = {
    "bool": "a boolean",
    "dict": "an object",
    "float": "a number",
    "int": "a number",
    "list": "a list",
    "str": "text",
}
_PAGE: Final = 20
_OFFSET: Final = re.compile(r"(?:Z|[+-]\d\d:\d\d)$")


class _Any:
    """Anything at all, null too."""


class _Absent:
    """The key must not be there."""


class _Time:
    """A moment of ISO 8601 with its offset from UTC."""


ANY: Final = _Any()
ABSENT: Final = _Absent()
TIME: Final = _Time()


@dataclass(frozen=True)
class Maybe:
    """Null, or what `inner` says."""

    inner: Any


@dataclass(frozen=True)
class Each:
    """A list, each element of which is what `inner` says; `least` of them, `most` at most."""

    inner: Any
    least: int = 0
    most: int | None = None


@dataclass(frozen=True)
class Has:
    """A list with an element that is what `inner` says."""

    inner: Any


@dataclass(frozen=True)
class Not:
    """A list without such an element, or a value that differs from this."""

    inner: Any


@dataclass(frozen=True)
class OneOf:
    """One of these."""

    choices: tuple[Any, ...]


@dataclass(frozen=True)
class Text:
    """Text in which the regular expression is found."""

    pattern: str


@dataclass(frozen=True)
class Contains:
    """Text that holds this."""

    part: str


UUID: Final = Text(r"^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$")


def page(of: Any, *, least: int = 0) -> dict[str, Any]:
    """The envelope of a list, with at most 20 rows that are `of`, and `least` at least."""
    link = Maybe(Text(r"[?&]page=\d+|/api/"))
    return {"count": int, "next": link, "previous": link, "results": Each(of, least, most=_PAGE)}


def differences(expected: Any, actual: Any, place: str = "") -> list[str]:
    """Where `actual` is not what `expected` says, one sentence each; [] if nowhere."""
    return list(_compare(expected, actual, place))


def _compare(expected: Any, actual: Any, place: str) -> Iterator[str]:
    here = place or "the answer"
    match expected:
        case _Any():
            return
        case _Time():
            if not _is_moment(actual):
                yield f"{here} is {_told(actual)}, not a moment with its offset from UTC"
        case Maybe(inner):
            if actual is not None:
                yield from _compare(inner, actual, place)
        case Each():
            yield from _compare_each(expected, actual, here)
        case Has(inner):
            found = isinstance(actual, list) and any(not differences(inner, e) for e in actual)
            if not found:
                yield f"{here} has no element that is {inner!r}"
        case Not(inner):
            values = actual if isinstance(actual, list) else [actual]
            if any(not differences(inner, each) for each in values):
                yield f"{here} is, or has, {inner!r}"
        case OneOf(choices):
            if all(differences(choice, actual) for choice in choices):
                yield f"{here} is {_told(actual)}, none of {choices!r}"
        case Text(pattern):
            if not isinstance(actual, str) or not re.search(pattern, actual):
                yield f"{here} is {_told(actual)}, not text like {pattern}"
        case Contains(part):
            if not isinstance(actual, str) or part not in actual:
                yield f"{here} is {_told(actual)}, without {part!r}"
        case type():
            if not _is_a(actual, expected):
                yield f"{here} is {_told(actual)}, not {_kind(expected)}"
        case dict():
            yield from _compare_objects(expected, actual, place)
        case list():
            if not isinstance(actual, list) or len(actual) != len(expected):
                yield f"{here} is {_told(actual)}, not {expected!r}"
            else:
                for number, (wanted, got) in enumerate(zip(expected, actual, strict=True)):
                    yield from _compare(wanted, got, f"{place}[{number}]")
        case _:
            if actual != expected or isinstance(actual, bool) != isinstance(expected, bool):
                yield f"{here} is {_told(actual)}, not {expected!r}"


def _compare_each(expected: Each, actual: Any, here: str) -> Iterator[str]:
    if not isinstance(actual, list):
        yield f"{here} is {_told(actual)}, not a list"
        return
    if len(actual) < expected.least:
        yield f"{here} has {len(actual)} elements, not {expected.least} or more"
    if expected.most is not None and len(actual) > expected.most:
        yield f"{here} has {len(actual)} elements, not {expected.most} or fewer"
    for number, element in enumerate(actual):
        yield from _compare(expected.inner, element, f"{here}[{number}]")


def _compare_objects(expected: dict[str, Any], actual: Any, place: str) -> Iterator[str]:
    if not isinstance(actual, dict):
        yield f"{place or 'the answer'} is {_told(actual)}, not an object"
        return
    for key, wanted in expected.items():
        inside = f"{place}.{key}" if place else key
        if isinstance(wanted, _Absent):
            if key in actual:
                yield f"{inside} is there"
        elif key in actual:
            yield from _compare(wanted, actual[key], inside)
        else:
            yield f"{inside} is missing"


def _is_a(actual: Any, kind: type) -> bool:
    if isinstance(actual, bool):
        return kind is bool
    return isinstance(actual, int | float) if kind is float else isinstance(actual, kind)


def _is_moment(actual: Any) -> bool:
    if not isinstance(actual, str) or not _OFFSET.search(actual):
        return False
    try:
        datetime.fromisoformat(actual)
    except ValueError:
        return False
    return True


def _kind(kind: type) -> str:
    return _KINDS.get(kind.__name__, kind.__name__)


def _told(actual: Any) -> str:
    text = repr(actual)
    return text if len(text) <= 120 else f"{text[:120]}…"
