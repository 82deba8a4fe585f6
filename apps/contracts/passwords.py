"""How passwords are stored, as every process that checks or writes them agrees.

As long as two systems share the hashes, all of them write `pbkdf2_sha256` with the legacy count
and rewrite nothing, so that each can read what another wrote and a step back needs no reset. After
that `PASSWORD_UPGRADE` makes argon2 the form of new hashes, and a login rewrites an older one.
"""

import re
from typing import Final

__all__ = [
    "LEGACY_ITERATIONS",
    "NotBcrypt",
    "hasher_paths",
    "normalise",
    "unwrap_bcrypt",
    "wrap_bcrypt",
]

# What the legacy system (Django 4.2) writes.
LEGACY_ITERATIONS: Final = 600_000

_CLASSES: Final = "apps.shared.identity.hashers."
_LEGACY: Final = _CLASSES + "PBKDF2SHA256"
_NEWEST: Final = _CLASSES + "Argon2"
_READ_ONLY: Final = (
    _CLASSES + "BCryptSHA256",
    _CLASSES + "BCrypt",
    _CLASSES + "Scrypt",
    _CLASSES + "PBKDF2SHA1",
    _CLASSES + "SaltedMD5",
    _CLASSES + "SaltedSHA1",
    _CLASSES + "UnsaltedMD5",
    _CLASSES + "UnsaltedSHA1",
)
_PREFIX: Final = "bcrypt$"
# Versions a, b and y are one algorithm; x marks hashes that a faulty program made.
_RAW_BCRYPT: Final = re.compile(r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
_BARE_MD5: Final = re.compile(r"[0-9a-f]{32}")


class NotBcrypt(ValueError):
    """The text is not a bcrypt hash in the form that was asked for; it is not repeated here."""

    def __init__(self) -> None:
        super().__init__("This is no bcrypt hash in the expected form.")


def hasher_paths(*, upgrade: bool) -> list[str]:
    """Dotted paths of the hasher classes, as `PASSWORD_HASHERS` wants them.

    The first one writes, all of them are read; both lists read the same forms.

    Args:
        upgrade: Whether no legacy process reads the hashes any more.
    """
    first, second = (_NEWEST, _LEGACY) if upgrade else (_LEGACY, _NEWEST)
    return [first, second, *_READ_ONLY]


def wrap_bcrypt(raw: str) -> str:
    """The form in which Django's name for the algorithm stands before a hash `$2b$12$…`.

    Raises:
        NotBcrypt: `raw` is not the 60 characters that bcrypt programs write (versions 2a, 2b, 2y).
    """
    if not _RAW_BCRYPT.fullmatch(raw):
        raise NotBcrypt
    return _PREFIX + raw


def unwrap_bcrypt(encoded: str) -> str:
    """The hash as other programs read it: the inverse of `wrap_bcrypt`.

    Raises:
        NotBcrypt: `encoded` is not what `wrap_bcrypt` answers.
    """
    raw = encoded.removeprefix(_PREFIX)
    if raw == encoded or not _RAW_BCRYPT.fullmatch(raw):
        raise NotBcrypt
    return raw


def normalise(encoded: str) -> str:
    """A form that names its algorithm, for a stored hash that may not.

    Raw bcrypt is wrapped, and 32 hexadecimal digits are unsalted MD5. Every other text comes back
    as it is: hashes that name their algorithm, unusable and damaged ones.
    """
    if _RAW_BCRYPT.fullmatch(encoded):
        return _PREFIX + encoded
    if _BARE_MD5.fullmatch(encoded):
        return f"md5$${encoded}"
    return encoded
