"""Passwords of result archives: made when a user sends none, encrypted while a job waits."""

import base64
import hashlib
import secrets
import string
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

__all__ = ["PasswordLost", "decrypt", "encrypt", "generate"]

_SYMBOLS: Final = "!@#%&*()_+[]{};:.<>?-="
_MOST_DUPLICATES: Final = 3


class PasswordLost(Exception):
    """The stored text was not encrypted under this node's secret key."""


def generate() -> str:
    """A password as the real server makes them: 5 upper, 5 lower, 2 digits, 2 symbols."""
    random = secrets.SystemRandom()
    while True:
        characters = [
            secrets.choice(alphabet)
            for alphabet, count in (
                (string.ascii_uppercase, 5),
                (string.ascii_lowercase, 5),
                (string.digits, 2),
                (_SYMBOLS, 2),
            )
            for _ in range(count)
        ]
        if len(characters) - len(set(characters)) <= _MOST_DUPLICATES:
            random.shuffle(characters)
            return "".join(characters)


def encrypt(password: str) -> str:
    return _fernet().encrypt(password.encode()).decode()


def decrypt(text: str) -> str:
    """The password behind `text`.

    Raises:
        PasswordLost: The secret key has changed since.
    """
    try:
        return _fernet().decrypt(text.encode()).decode()
    except InvalidToken as error:
        raise PasswordLost from error


def _fernet() -> Fernet:
    digest = hashlib.sha256(b"result-password\0" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))
