"""Doing once what a client asks for twice.

The story. A client that got no answer cannot know whether its request was done. With an
`Idempotency-Key` it may send it again: the first request inserts the key in the transaction that
does what was asked, so the key is there exactly when it was done. A second one that comes meanwhile
waits for that transaction. Then it finds the answer and gives it again, or, when the first was
refused or died, it is the first. A key is its user's own, and for one method and path; with another
body it is a mistake of the client. It is forgotten after a day.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable
from rest_framework.exceptions import APIException
from rest_framework.utils.encoders import JSONEncoder

from apps.shared.api.idempotency import RequestKey
from federated_imputation.monolith.accounts.models import StoredAnswer
from federated_imputation.monolith.accounts.secrets import decrypt, encrypt

__all__ = ["Answer", "KeyReused", "StillUnderWay", "answered_once", "forget_answers"]

KEPT: Final = timedelta(days=1)
PATIENCE: Final = timedelta(seconds=10)


class KeyReused(APIException):
    """422: the key came before, with another body."""

    status_code = 422
    default_detail = "This Idempotency-Key was used for another request; use a new one."
    default_code = "invalid"


class StillUnderWay(APIException):
    """409: the first request with the key is not done yet."""

    status_code = 409
    default_detail = "The first request with this Idempotency-Key is still under way; ask again."
    default_code = "conflict"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a request is answered.

    Attributes:
        body: What JSON can hold.
        is_replayed: Whether it was the answer to an earlier request.
    """

    status: int
    body: Any
    is_replayed: bool = False


def answered_once(
    key: RequestKey | None,
    act: Callable[[], Answer],
    *,
    now: datetime,
    patience: timedelta = PATIENCE,
) -> Answer:
    """What `act` answers, or answered when the key came first.

    Only what `act` returns is kept; when it raises, nothing of it is, the key neither.

    Args:
        act: Writes in the transaction of the key.
        patience: How long to wait for an earlier request with the key.

    Raises:
        KeyReused: The key came before with another body.
        StillUnderWay: The earlier request takes longer than `patience`.
    """
    if key is None:
        return act()
    with transaction.atomic():
        if not _is_first(key, now=now, patience=patience):
            stored = StoredAnswer.objects.get(pk=key.key)
            if stored.digest != key.digest:
                raise KeyReused
            body = json.loads(decrypt(stored.encrypted))
            return Answer(status=stored.status, body=body, is_replayed=True)
        answer = act()
        StoredAnswer.objects.filter(pk=key.key).update(
            status=answer.status, encrypted=encrypt(json.dumps(answer.body, cls=JSONEncoder))
        )
    return answer


def forget_answers(*, now: datetime) -> int:
    """Delete the answers of more than a day ago; return how many."""
    return StoredAnswer.objects.filter(created_at__lt=now - KEPT).delete()[0]


def _is_first(key: RequestKey, *, now: datetime, patience: timedelta) -> bool:
    """Insert the key; `False` when it is there, with its answer.

    Raises:
        StillUnderWay: Another transaction is about to insert it, and does not end.
    """
    try:
        with connection.cursor() as cursor:
            limit = f"{round(patience.total_seconds() * 1000)}ms"
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [limit])
            cursor.execute(
                "DELETE FROM imputation_storedanswer WHERE key = %s AND created_at < %s",
                [key.key, now - KEPT],
            )
            cursor.execute(
                "INSERT INTO imputation_storedanswer (key, digest, created_at) "
                "VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                [key.key, key.digest, now],
            )
            is_first: bool = cursor.rowcount == 1
            cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise StillUnderWay from None
        raise
    return is_first
