"""Whose step a thread of this worker does: no service holds the threads that others need.

The story. A step is mostly a call, and a call to a slow service holds a thread for as long as that
takes. A step **enters** before it does anything: a service may always hold one thread, and another
one as long as more threads are free than it holds. Else the step is **parked**. Whenever a step
leaves, the parked one that may enter now, of the service that holds the fewest threads, is
announced again, to whichever worker is first.

So however many steps wait for a service alone, half of the threads stay free for others; of n
services that want all of them each gets one part in n + 1, and one part stays free for the next
(the dynamic threshold of Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998).

What is parked is no truth: it dies with the process, and the tick announces again what stays due.
"""

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager

__all__ = ["Turns", "may_enter"]


def may_enter(service: int, *, holding: Mapping[int, int], threads: int) -> bool:
    """Whether a step of `service` may take one more of the `threads`.

    Args:
        holding: Threads that each service holds now.
    """
    held = holding.get(service, 0)
    return held == 0 or held < threads - sum(holding.values())


class Turns:
    """The turns of one process; safe to share between its threads.

    Args:
        threads: That do steps.
    """

    def __init__(self, *, threads: int) -> None:
        self._threads = threads
        self._holding: Counter[int] = Counter()
        self._parked: dict[int, dict[Hashable, Callable[[], None]]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, service: int, *, step: Hashable, again: Callable[[], None]) -> Iterator[bool]:
        """Whether it is the turn of `step`; where it is not, it is parked.

        Args:
            service: That the step calls.
            step: Parked once, however often it comes.
            again: Announces the step; called by the thread that makes room for it.
        """
        if not self._enters(service, step, again):
            yield False
            return
        try:
            yield True
        finally:
            following = self._leave(service)
            if following is not None:
                following()

    def _enters(self, service: int, step: Hashable, again: Callable[[], None]) -> bool:
        with self._lock:
            enters = may_enter(service, holding=self._holding, threads=self._threads)
            if enters:
                self._holding[service] += 1
            else:
                self._parked.setdefault(service, {})[step] = again
            return enters

    def _leave(self, service: int) -> Callable[[], None] | None:
        """Free the thread; return how to announce the step that may enter next."""
        with self._lock:
            self._holding[service] -= 1
            for waiting in sorted(self._parked, key=lambda each: self._holding[each]):
                if may_enter(waiting, holding=self._holding, threads=self._threads):
                    steps = self._parked[waiting]
                    oldest = next(iter(steps))
                    again = steps.pop(oldest)
                    if not steps:
                        del self._parked[waiting]
                    return again
            return None
