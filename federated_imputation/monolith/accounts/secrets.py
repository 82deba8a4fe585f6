"""Encryption of secrets at rest: Fernet with the keys of `FIELD_ENCRYPTION_KEYS`.

The first key encrypts, every key decrypts, so a new key is put first and old rows stay readable.
Fernet: https://github.com/fernet/spec/blob/master/Spec.md
"""

from hashlib import sha256

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

__all__ = ["Undecryptable", "decrypt", "encrypt", "find_key", "fingerprints", "reencrypt"]

_FINGERPRINT_LENGTH = 8


class Undecryptable(Exception):
    """The text was encrypted with none of the keys."""

    def __init__(self) -> None:
        super().__init__("A stored secret cannot be decrypted with any of FIELD_ENCRYPTION_KEYS.")


def encrypt(secret: str) -> str:
    """Return `secret` as a Fernet token (ASCII text)."""
    return _all_keys().encrypt(secret.encode()).decode("ascii")


def decrypt(encrypted: str) -> str:
    """Return the secret of a token made by `encrypt`.

    Raises:
        Undecryptable: None of the keys fits, or the text was changed.
    """
    try:
        return _all_keys().decrypt(encrypted.encode()).decode()
    except InvalidToken:
        raise Undecryptable from None


def reencrypt(encrypted: str) -> str:
    """Return the same secret as a token of the first key, with the time of the old one.

    Raises:
        Undecryptable: None of the keys fits, or the text was changed.
    """
    try:
        return _all_keys().rotate(encrypted.encode()).decode("ascii")
    except InvalidToken:
        raise Undecryptable from None


def fingerprints() -> list[str]:
    """A short name for each key, in the order of the setting, that may be shown.

    A key is 256 random bits, so that its hash, let alone 32 bits of it, leads nobody back to it.
    """
    return [_fingerprint(key) for key in settings.FIELD_ENCRYPTION_KEYS]


def find_key(encrypted: str) -> str | None:
    """Fingerprint of the first key that decrypts the token; None when there is none."""
    token = encrypted.encode()
    for key in settings.FIELD_ENCRYPTION_KEYS:
        try:
            Fernet(key).decrypt(token)
        except InvalidToken:
            continue
        return _fingerprint(key)
    return None


def _fingerprint(key: str) -> str:
    return sha256(key.encode()).hexdigest()[:_FINGERPRINT_LENGTH]


def _all_keys() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_ENCRYPTION_KEYS])
