"""How far a run is, in whole percent that only rise."""

from collections.abc import Callable

__all__ = ["Progress"]


class Progress:
    """Tells each whole percent once.

    Args:
        say: Called with 0 to 100, rising.
        first, last: The part of the whole that this one covers, in percent.
    """

    def __init__(self, say: Callable[[int], None], *, first: int = 0, last: int = 100) -> None:
        self._say = say
        self._first = first
        self._last = last
        self._told = first - 1

    def at(self, done: int, whole: int) -> None:
        """Note that `done` of `whole` is done."""
        share = min(done, whole) / whole if whole else 1.0
        percent = self._first + int(share * (self._last - self._first))
        if percent > self._told:
            self._told = percent
            self._say(percent)

    def split(self, at: int) -> "tuple[Progress, Progress]":
        """Two that together cover this one, which was not used yet."""
        middle = self._first + (self._last - self._first) * at // 100
        return (
            Progress(self._say, first=self._first, last=middle),
            Progress(self._say, first=middle, last=self._last),
        )
