"""Compares the shape of two JSON values: their keys and types, never their content.

An example answer stands for a family of answers. The rules by which it does:

- A key of the example is required, an unknown key is a difference.
- The elements of an example list speak together: a key that only some of them have is optional, a
  value that is null in some may be null. A list that is nowhere empty must not be empty.
- `{}` and `[]` leave their content open.
- Numbers are one type, as in JSON; `true` is not a number.
- Null stands only where the example shows null or `nullable` names the place.
"""

from collections.abc import Collection, Iterator, Sequence

__all__ = ["JSON", "differences"]

_NAMES = {bool: "boolean", int: "number", float: "number", str: "string", type(None): "null"}
JSON = dict[str, "JSON"] | list["JSON"] | str | int | float | bool | None


def differences(expected: JSON, actual: JSON, *, nullable: Collection[str] = ()) -> list[str]:
    """Where the shape of `actual` leaves that of `expected`, one sentence each; [] if nowhere.

    Args:
        expected: The example.
        actual: What was answered.
        nullable: Places that may also be null, as `outputParams[].hash`.
    """
    return list(_compare([expected], actual, "", nullable))


def _compare(
    examples: Sequence[JSON], actual: JSON, place: str, nullable: Collection[str]
) -> Iterator[str]:
    kinds = {_kind(example) for example in examples}
    kind = _kind(actual)
    if kind not in kinds:
        if not (kind == "null" and place in nullable):
            yield f"{place or 'the answer'} is {kind}, not {' or '.join(sorted(kinds))}"
    elif isinstance(actual, dict):
        objects = [example for example in examples if isinstance(example, dict)]
        yield from _compare_objects(objects, actual, place, nullable)
    elif isinstance(actual, list):
        lists = [example for example in examples if isinstance(example, list)]
        elements = [element for example in lists for element in example]
        if not actual and all(lists):
            yield f"{place or 'the answer'} is empty"
        if elements:
            for element in actual:
                yield from _compare(elements, element, f"{place}[]", nullable)


def _compare_objects(
    examples: Sequence[dict[str, JSON]],
    actual: dict[str, JSON],
    place: str,
    nullable: Collection[str],
) -> Iterator[str]:
    if not any(examples):
        return
    known = list(dict.fromkeys(key for example in examples for key in example))
    for key in known:
        inside = f"{place}.{key}" if place else key
        shown = [example[key] for example in examples if key in example]
        if key in actual:
            yield from _compare(shown, actual[key], inside, nullable)
        elif len(shown) == len(examples):
            yield f"{inside} is missing"
    for key in actual:
        if key not in known:
            yield f"{place}.{key} is unknown" if place else f"{key} is unknown"


def _kind(value: JSON) -> str:
    if isinstance(value, dict):
        return "object"
    if isinstance(value, list):
        return "list"
    return _NAMES[type(value)]
