"""Whether an answer is like the one that a guide shows.

What a guide shows is an example: ids, names, sizes and moments are the reader's own. What the API
has words for (`completed`, `jobs:read`, `true`) is no example and must be the same.
"""

import re
from typing import Any, Final

__all__ = ["differences"]

_WORD: Final = re.compile(r"[a-z]+(?:[_:][a-z]+)*")


def differences(shown: Any, got: Any, *, at: str = "the answer") -> list[str]:
    """Where `got` is not like `shown`, each as a sentence.

    Objects have the same keys. A list that shows something is not empty, and each of its elements
    is like one of those shown. A word, a truth and null are the same; another text is any text, a
    whole number any whole number, and another number any number.
    """
    if isinstance(shown, dict) and isinstance(got, dict):
        wrong = [f"{at} has no `{key}`." for key in shown if key not in got]
        wrong += [f"{at} has `{key}`, which is not shown." for key in got if key not in shown]
        for key in shown.keys() & got.keys():
            wrong += differences(shown[key], got[key], at=f"{at}.{key}")
        return wrong
    if isinstance(shown, list) and isinstance(got, list):
        return _differences_of_lists(shown, got, at)
    return [] if _is_like(shown, got) else [f"{at} is {got!r}, not like {shown!r}."]


def _differences_of_lists(shown: list[Any], got: list[Any], at: str) -> list[str]:
    if bool(shown) != bool(got):
        return [f"{at} is {got!r}, not like {shown!r}."]
    wrong = []
    for number, element in enumerate(got):
        tries = [differences(each, element, at=f"{at}.{number}") for each in shown]
        closest = min(tries, key=len)
        wrong += closest
    return wrong


def _is_like(shown: Any, got: Any) -> bool:
    if shown is None or isinstance(shown, bool):
        return shown is got
    if isinstance(shown, str):
        return isinstance(got, str) and (shown == got or not _WORD.fullmatch(shown))
    if isinstance(shown, int):
        return isinstance(got, int) and not isinstance(got, bool)
    if isinstance(shown, float):
        return isinstance(got, int | float) and not isinstance(got, bool)
    return False
