"""What is believed of services, in Django's cache: it is gone by itself when it is old."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from math import ceil
from typing import Final

import redis
from django.core.cache import cache

from federated_imputation.monolith.registry.health.states import Asker, State, believed_for

__all__ = ["CacheAway", "forget", "read", "write"]

_NAME: Final = "health:{}".format


class CacheAway(Exception):
    """The cache does not answer."""


def read(service_ids: Collection[int]) -> dict[int, State]:
    """The states that are kept, by service.

    Raises:
        CacheAway: Nobody knows.
    """
    ids = {_NAME(service_id): service_id for service_id in service_ids}
    try:
        found = cache.get_many(list(ids))
    except redis.RedisError:
        raise CacheAway from None
    states = {ids[name]: State.from_json(value) for name, value in found.items()}
    return {service_id: state for service_id, state in states.items() if state is not None}


def write(states: Mapping[int, State], *, now: datetime) -> None:
    """Keep the states for as long as people believe them.

    Raises:
        CacheAway: Some are not kept.
    """
    try:
        for service_id, state in states.items():
            left = state.checked_at + believed_for(state.status, by=Asker.USER) - now
            if left.total_seconds() > 0:
                name, value = _NAME(service_id), state.to_json()
                cache.set(name, value, timeout=ceil(left.total_seconds()))
    except redis.RedisError:
        raise CacheAway from None


def forget(service_ids: Iterable[int]) -> int:
    """Keep nothing of these services; tells how many were kept.

    Raises:
        CacheAway: They may still be kept.
    """
    try:
        return sum(bool(cache.delete(_NAME(service_id))) for service_id in service_ids)
    except redis.RedisError:
        raise CacheAway from None
