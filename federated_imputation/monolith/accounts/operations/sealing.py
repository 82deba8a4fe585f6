"""What is handed to somebody between two pages of a form, and comes back as it was.

Nothing is kept here meanwhile. It is encrypted as stored secrets are, so a page may hold what its
reader may not see again, and it opens for the same user, for the same purpose, for an hour.
"""

import json
from datetime import datetime, timedelta
from typing import Any, Final

from federated_imputation.monolith.accounts.secrets import Undecryptable, decrypt, encrypt

__all__ = ["OPENS_FOR", "SealBroken", "seal", "unseal"]

OPENS_FOR: Final = timedelta(hours=1)


class SealBroken(Exception):
    """It was not sealed here, for this user and purpose, in the last hour."""


def seal(value: Any, *, purpose: str, user_id: int, now: datetime) -> str:
    """`value`, which JSON can hold, as text that `unseal` alone opens."""
    return encrypt(json.dumps([purpose, user_id, now.timestamp(), value]))


def unseal(sealed: str, *, purpose: str, user_id: int, now: datetime) -> Any:
    """What was sealed.

    Raises:
        SealBroken: It was not, or for something or somebody else, or too long ago.
    """
    try:
        opened = json.loads(decrypt(sealed))
    except (Undecryptable, ValueError):  # stored secrets open with the same key, and are no JSON
        raise SealBroken from None
    match opened:
        case [str() as sealed_for, int() as sealed_by, float() as sealed_at, value]:
            age = now.timestamp() - sealed_at
            if (sealed_for, sealed_by) == (purpose, user_id) and age <= OPENS_FOR.total_seconds():
                return value
    raise SealBroken
