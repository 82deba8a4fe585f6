"""What a deployment needs to answer requests, checked with short time-outs."""

import logging

import redis
from django.conf import settings
from django.db import DatabaseError, connection

__all__ = ["failing_dependencies"]

logger = logging.getLogger(__name__)
_TIMEOUT_SECONDS = 2.0


def failing_dependencies() -> list[str]:
    """Names of the dependencies, of `database` and `cache`, that do not answer now."""
    failing = []
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        logger.warning("The database does not answer.")
        failing.append("database")
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
        ) as client:
            client.ping()
    except redis.RedisError:
        logger.warning("The Redis server does not answer.")
        failing.append("cache")
    return failing
