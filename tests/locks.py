"""Who waits for whom in the test database."""

from django.db import connection

__all__ = ["waiting_for_a_lock"]


def waiting_for_a_lock() -> int:
    """How many connections wait for a lock; takes a hundredth of a second."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT pid), pg_sleep(0.01) FROM pg_locks WHERE NOT granted")
        waiting: int = cursor.fetchone()[0]
        return waiting
