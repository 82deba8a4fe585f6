"""Password hashes exactly as the legacy system writes them, and as old databases hold them."""

from django.contrib.auth.hashers import (
    BasePasswordHasher,
    PBKDF2PasswordHasher,
    PBKDF2SHA1PasswordHasher,
    ScryptPasswordHasher,
)

__all__ = [
    "LegacyPBKDF2PasswordHasher",
    "LegacyPBKDF2SHA1PasswordHasher",
    "LegacyScryptPasswordHasher",
]


class _Tolerant(BasePasswordHasher):
    """A damaged hash fits no password; it is no reason to fail."""

    def verify(self, password: str, encoded: str) -> bool:
        try:
            return super().verify(password, encoded)
        except (ValueError, OverflowError):
            return False


class LegacyPBKDF2PasswordHasher(_Tolerant, PBKDF2PasswordHasher):
    """`pbkdf2_sha256` with the legacy iteration count.

    It reads any count and never asks for an upgrade: as long as two systems share the hashes, a
    login must not rewrite one.
    """

    iterations = 600_000

    def must_update(self, encoded: str) -> bool:
        return False


class LegacyPBKDF2SHA1PasswordHasher(_Tolerant, PBKDF2SHA1PasswordHasher):
    """`pbkdf2_sha1`, read only: a login writes `pbkdf2_sha256`, which every side reads."""


class LegacyScryptPasswordHasher(_Tolerant, ScryptPasswordHasher):
    """`scrypt`, read only: a login writes `pbkdf2_sha256`, which every side reads."""
