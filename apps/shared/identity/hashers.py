"""Password hashes exactly as the legacy system writes them."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher

__all__ = ["LegacyPBKDF2PasswordHasher"]


class LegacyPBKDF2PasswordHasher(PBKDF2PasswordHasher):
    """`pbkdf2_sha256` with the legacy iteration count.

    It reads any count and never asks for an upgrade: as long as two systems share the hashes, a
    login must not rewrite one.
    """

    iterations = 600_000

    def must_update(self, encoded: str) -> bool:
        return False
