"""`Idempotency-Key`: the client's name for one request, under which it may send it again.

The header is that of draft-ietf-httpapi-idempotency-key-header; its value is taken as it comes,
quotes and all.
"""

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from apps.shared.uploads import DigestedFile

__all__ = ["HEADER", "RequestKey", "request_key"]

HEADER: Final = "Idempotency-Key"
_FITTING: Final = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, kw_only=True)
class RequestKey:
    """A request that its client named; both are lower-case hex of 64 characters.

    Attributes:
        key: SHA-256 over who asks, the method, the path and the client's key.
        digest: HMAC-SHA-256 of the body under the client's key, so that nobody who has the digest
            alone can try what a token in the body might have been.
    """

    key: str
    digest: str


def request_key(request: Request, *, principal: str) -> RequestKey | None:
    """The key of `request`; `None` when its client gave none.

    Args:
        principal: Who asks, in words that are nobody else's.

    Raises:
        ValidationError: The header is not 1 to 255 visible ASCII characters.
        ParseError: The body is not what its type says.
    """
    given = request.headers.get(HEADER)
    if given is None:
        return None
    if not _FITTING.fullmatch(given):
        raise ValidationError({HEADER: ["Use 1 to 255 visible ASCII characters."]})
    named = json.dumps([principal, request.method, request.path, given])
    body = json.dumps(_plain(request.data), sort_keys=True).encode()
    return RequestKey(
        key=hashlib.sha256(named.encode()).hexdigest(),
        digest=hmac.new(given.encode(), body, hashlib.sha256).hexdigest(),
    )


def _plain(value: Any) -> Any:
    """The body as JSON holds it, with digests in place of files."""
    if isinstance(value, QueryDict):
        return {name: [_plain(each) for each in values] for name, values in value.lists()}
    if isinstance(value, UploadedFile):
        return {"name": value.name, "size": value.size, "sha256": _sha256(value)}
    return value


def _sha256(file: "UploadedFile[bytes]") -> str:
    if isinstance(file, DigestedFile):
        return file.sha256
    sha256 = hashlib.sha256()
    file.seek(0)
    for block in file.chunks():
        sha256.update(block)
    file.seek(0)
    return sha256.hexdigest()
