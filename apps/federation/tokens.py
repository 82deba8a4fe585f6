"""What a token says of itself, read without its server. Nothing here is a proof of anything.

Cloudgene's API tokens are JWTs (RFC 7519): `exp` in seconds since version 3, `expire` in
milliseconds before. A token of another kind says nothing.
"""

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Any, Final

__all__ = ["expiry"]

_LATEST: Final = 253_402_300_800  # the year 10000


def expiry(token: str) -> datetime | None:
    """When `token` expires by its own words; `None` when it says nothing, or that it never does."""
    parts = token.strip().split(".")
    if len(parts) != 3:
        return None
    try:
        payload = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        claims = json.loads(payload)
    except (binascii.Error, ValueError, RecursionError):
        return None
    if not isinstance(claims, dict):
        return None
    return _moment(claims.get("exp"), per_second=1) or _moment(
        claims.get("expire"), per_second=1000
    )


def _moment(value: Any, *, per_second: int) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 < value < _LATEST * per_second:  # false for NaN, too
        return None
    return datetime.fromtimestamp(value / per_second, UTC)
