"""Counting in moving windows, shared by all processes of a deployment through Redis.

A window holds at any moment no more than its amount in its seconds. Counting is one script in the
Redis server (the `limits` library), so parallel requests cannot pass together. A refused attempt is
not counted, so that the time told to the client is true.
"""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import redis
from django.conf import settings
from limits import RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from prometheus_client import Counter

__all__ = ["LimitExceeded", "Limiter", "Window", "limiter_of_this_deployment"]

logger = logging.getLogger(__name__)
_TIMEOUT_SECONDS: Final = 0.5
_REST_SECONDS: Final = 1.0
_LOG_EVERY_SECONDS: Final = 60.0
_refused = Counter("rate_limit_refused", "Attempts that found their window full.", ["window"])
_unchecked = Counter("rate_limit_unchecked", "Attempts let pass since Redis did not answer.")


@dataclass(frozen=True, kw_only=True)
class Window:
    """At most `amount` attempts in `seconds`, counted apart for each name and each key."""

    name: str
    amount: int
    seconds: int


class LimitExceeded(Exception):
    """Too many attempts.

    Attributes:
        window: The one that is full.
        wait: Whole seconds, 1 or more, after which it has room again.
    """

    def __init__(self, *, window: Window, wait: int) -> None:
        super().__init__(window.name)
        self.window = window
        self.wait = wait


class Limiter:
    """Counts attempts in the windows that it is told.

    While Redis does not answer, everything passes: a limit protects the service, and must not be
    what stops it. That is logged once a minute and counted; Redis is asked again after a second.
    """

    def __init__(
        self, *, url: str, prefix: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._storage = RedisStorage(
            url,
            key_prefix=prefix,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
        )
        self._strategy = MovingWindowRateLimiter(self._storage)
        self._redis = redis.Redis.from_url(
            url, socket_timeout=_TIMEOUT_SECONDS, socket_connect_timeout=_TIMEOUT_SECONDS
        )
        self._prefix = prefix
        self._clock = clock
        self._rests_until = self._logs_after = -math.inf

    def count(self, window: Window, *key: str) -> None:
        """Count one attempt of whom `key` names.

        Raises:
            LimitExceeded: The window is full; the attempt is not counted.
        """
        item = RateLimitItemPerSecond(window.amount, window.seconds, namespace=window.name)
        digest = _digest(*key)
        if self._resting():
            return
        try:
            if self._strategy.hit(item, digest):
                return
            opens = self._strategy.get_window_stats(item, digest).reset_time
        except redis.RedisError:
            self._rest()
            return
        _refused.labels(window.name).inc()
        wait = min(max(1, math.ceil(opens - time.time())), window.seconds)
        raise LimitExceeded(window=window, wait=wait)

    def forget(self, window: Window, *key: str) -> bool:
        """Empty the window of whom `key` names; `False` while Redis does not answer."""
        item = RateLimitItemPerSecond(window.amount, window.seconds, namespace=window.name)
        try:
            self._strategy.clear(item, _digest(*key))
        except redis.RedisError:
            self._rest()
            return False
        return True

    def remember(self, mark: str, *key: str, seconds: int) -> None:
        """Keep a mark on whom `key` names for some time."""
        if self._resting():
            return
        try:
            self._redis.set(self._mark(mark, key), 1, ex=seconds)
        except redis.RedisError:
            self._rest()

    def remembers(self, mark: str, *key: str) -> bool:
        """Whether the mark is kept; `False` while Redis does not answer."""
        if self._resting():
            return False
        try:
            return bool(self._redis.exists(self._mark(mark, key)))
        except redis.RedisError:
            self._rest()
            return False

    def _mark(self, mark: str, key: tuple[str, ...]) -> str:
        return f"{self._prefix}:{mark}:{_digest(*key)}"

    def _resting(self) -> bool:
        resting = self._clock() < self._rests_until
        if resting:
            _unchecked.inc()
        return resting

    def _rest(self) -> None:
        now = self._clock()
        _unchecked.inc()
        self._rests_until = now + _REST_SECONDS
        if now >= self._logs_after:
            self._logs_after = now + _LOG_EVERY_SECONDS
            logger.error("Redis does not answer: requests pass without being counted.")


def limiter_of_this_deployment() -> Limiter:
    """The limiter on the deployment's Redis, with keys of its own there."""
    return _limiter(settings.REDIS_URL, f"limits:{settings.DEPLOYMENT}")


@lru_cache(maxsize=1)
def _limiter(url: str, prefix: str) -> Limiter:
    return Limiter(url=url, prefix=prefix)


def _digest(*parts: str) -> str:
    """A short key for parts of any length, in which no name of a user can be read."""
    digest = blake2b(digest_size=16)
    for part in parts:
        encoded = part.encode(errors="surrogatepass")
        digest.update(len(encoded).to_bytes(8) + encoded)
    return digest.hexdigest()
