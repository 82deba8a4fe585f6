"""What an answer of a Michigan Imputation Server other than the expected one means."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from apps.federation.protocol import (
    Busy,
    Down,
    FederationError,
    Forbidden,
    Malformed,
    NotAuthenticated,
    NotFound,
    Rejected,
)
from apps.federation.text import plain_text

__all__ = ["decoded", "error_of", "retry_after", "words_of"]

_JOB_LIMIT: Final = re.compile(r"Only \d+ jobs? per user ")
_REJECTIONS: Final[dict[int, type[Rejected]]] = {
    401: NotAuthenticated,
    403: Forbidden,
    404: NotFound,
}
_READ: Final = 1 << 16
_LONGEST_RETRY_AFTER: Final = 86_400.0


def error_of(
    status: int, headers: Mapping[str, str], body: bytes, *, secret: str = ""
) -> FederationError:
    """The error that `status` and `body` tell.

    A final no is believed only in the service's own JSON: a 404 page of a proxy says nothing about
    a job. 401 and 413 are believed from anything, since proxies speak them for the service.

    Args:
        secret: Is taken out of the words, should they repeat it.
    """
    words = words_of(body, secret=secret)
    sentence = words or f"The service answered {status}."
    is_own = isinstance(decoded(body), dict)
    if status == 429 or (status == 503 and is_own):
        return Busy(sentence, retry_after=retry_after(headers))
    if status >= 500:
        return Down(sentence, retry_after=retry_after(headers))
    if is_own and status == 400 and _JOB_LIMIT.match(words):
        return Busy(words)
    if (is_own and 400 <= status < 500) or status in {401, 413}:
        return _REJECTIONS.get(status, Rejected)(sentence, status=status)
    return Malformed(f"The service answered {status} with a page that is not its own. {words}")


def words_of(body: bytes, *, secret: str = "") -> str:
    """The `message` of an error answer, or the first words of a page; clean and short."""
    value = decoded(body)
    if isinstance(value, dict):
        message = value.get("message")
        markup, longest = message if isinstance(message, str) else "", 1000
    else:
        markup, longest = body[:_READ].decode("utf-8", "replace"), 200
    return plain_text(markup.replace(secret, "…") if secret else markup, longest=longest)


def decoded(body: bytes) -> Any:
    """The JSON value of `body`, whatever type it was sent as (older servers say text/html); None
    if it holds none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a `Retry-After` header asks for (RFC 9110, 10.2.3), at most a day.

    A date is understood as so long after the answer's own `Date`, so that neither clock needs to be
    right; without that header it says nothing.
    """
    told = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}", told):
        return min(float(told), _LONGEST_RETRY_AFTER)
    then, now = _http_date(told), _http_date(headers.get("date", ""))
    if then is None or now is None:
        return None
    return min(max((then - now).total_seconds(), 0.0), _LONGEST_RETRY_AFTER)


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
