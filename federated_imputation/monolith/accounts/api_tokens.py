"""The form of an API token: `fip_`, 43 random characters, 6 of a checksum.

Scanners for leaked secrets know it by prefix and checksum without asking anybody; so does the
first look at a request.
"""

import re
import secrets
import string
import zlib
from typing import Final

__all__ = ["PATTERN", "SHOWN_LENGTH", "is_api_token", "make_api_token"]

PATTERN: Final = re.compile(r"fip_[0-9A-Za-z]{49}")
# How much of one is kept readable, so that its owner knows it again.
SHOWN_LENGTH: Final = 8

_PREFIX: Final = "fip_"
_DIGITS: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_LENGTH: Final = 43  # 256 bits
_CHECKSUM_LENGTH: Final = 6  # of base 62, for 32 bits


def make_api_token() -> str:
    """A new random token."""
    body = "".join(secrets.choice(_DIGITS) for _ in range(_RANDOM_LENGTH))
    return f"{_PREFIX}{body}{_checksum(body)}"


def is_api_token(text: str) -> bool:
    """Whether the text has the form of one; whether it lets anybody in is another question."""
    body = text.removeprefix(_PREFIX)[:-_CHECKSUM_LENGTH]
    return bool(PATTERN.fullmatch(text)) and text.endswith(_checksum(body))


def _checksum(body: str) -> str:
    """CRC-32 (ISO 3309) in base 62, the most significant digit first."""
    value = zlib.crc32(body.encode("ascii"))
    digits = []
    for _ in range(_CHECKSUM_LENGTH):
        value, digit = divmod(value, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
