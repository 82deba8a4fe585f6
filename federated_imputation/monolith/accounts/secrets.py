"""Encryption of secrets at rest: MultiFernet with the keys of `FIELD_ENCRYPTION_KEYS`.

The first key encrypts, every key decrypts, so a new key is put first and old rows stay readable.
"""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

__all__ = ["Undecryptable", "decrypt", "encrypt"]


class Undecryptable(Exception):
    """The text was encrypted with none of the keys."""

    def __init__(self) -> None:
        super().__init__("A stored secret cannot be decrypted with any of FIELD_ENCRYPTION_KEYS.")


def encrypt(secret: str) -> str:
    """Return `secret` as a Fernet token (ASCII text)."""
    return _keys().encrypt(secret.encode()).decode("ascii")


def decrypt(encrypted: str) -> str:
    """Return the secret of a token made by `encrypt`.

    Raises:
        Undecryptable: None of the keys fits, or the text was changed.
    """
    try:
        return _keys().decrypt(encrypted.encode()).decode()
    except InvalidToken:
        raise Undecryptable from None


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_ENCRYPTION_KEYS])
