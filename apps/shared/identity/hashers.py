"""The hasher bridge: every form in which Django, and programs beside it, stored a password.

Each class reads what the original programs wrote, in Django's notation (`algorithm$…`). Which of
them writes is decided in `apps.contracts.passwords`; verifying never writes.

A hash is data of unknown origin. One that is damaged, or that asks for more work or memory than
any honest program would, fits no password; it never raises and never keeps a process busy.
`decode` draws that line, and every other method passes it first.
"""

import hashlib
import re
from typing import Any, Final

import bcrypt
from django.contrib.auth.hashers import (
    Argon2PasswordHasher,
    BasePasswordHasher,
    BCryptPasswordHasher,
    BCryptSHA256PasswordHasher,
    MD5PasswordHasher,
    PBKDF2PasswordHasher,
    PBKDF2SHA1PasswordHasher,
    ScryptPasswordHasher,
    mask_hash,
)
from django.utils.crypto import constant_time_compare

from apps.contracts.passwords import LEGACY_ITERATIONS, wrap_bcrypt

__all__ = [
    "PBKDF2SHA1",
    "PBKDF2SHA256",
    "Argon2",
    "BCrypt",
    "BCryptSHA256",
    "SaltedMD5",
    "SaltedSHA1",
    "Scrypt",
    "UnsaltedMD5",
    "UnsaltedSHA1",
]

# The most that a stored hash may ask for: a few times the largest default of any known program,
# and a few seconds of one processor.
_MOST_ITERATIONS: Final = 5_000_000
_MOST_BCRYPT_ROUNDS: Final = 15  # doublings
_MOST_ARGON2_MEMORY: Final = 2**19  # KiB
_MOST_ARGON2_WORK: Final = 2**21  # KiB, over all passes
_MOST_ARGON2_LANES: Final = 64  # each a thread
_MOST_SCRYPT_MEMORY: Final = 2**28  # bytes
_MOST_SCRYPT_WORK: Final = 2**22  # N · r · p

_BCRYPT_BYTES: Final = 72  # the algorithm never sees the rest of a password
_ANYTHING: Final = "a password of nobody"

_Decoded = dict[str, Any]
_Summary = dict[Any, Any]  # by translated words


class _Unfit(ValueError):
    """No program writes this hash, or to check it would cost too much."""


class _Bridge(BasePasswordHasher):
    """Takes any text for a hash, and asks for no hash to be rewritten."""

    def verify(self, password: str, encoded: str) -> bool:
        """Whether the password fits; a hash that `decode` refuses fits none."""
        try:
            self.decode(encoded)
            return super().verify(password, encoded)
        except ValueError:
            return False

    def safe_summary(self, encoded: str) -> _Summary:
        """What the admin pages show of a hash."""
        try:
            return super().safe_summary(encoded)
        except ValueError:
            return {"algorithm": self.algorithm, "hash": "(damaged)"}

    def must_update(self, encoded: str) -> bool:
        return False


class _PBKDF2(_Bridge, PBKDF2PasswordHasher):
    def decode(self, encoded: str) -> _Decoded:
        decoded: _Decoded = super().decode(encoded)
        if not 1 <= decoded["iterations"] <= _MOST_ITERATIONS:
            raise _Unfit
        return decoded


class PBKDF2SHA256(_PBKDF2):
    """`pbkdf2_sha256` of any iteration count; writes the legacy one."""

    iterations = LEGACY_ITERATIONS

    def harden_runtime(self, password: str, encoded: str) -> None:
        """Spend what a check of this hash lacks of a whole run; all of it for a damaged hash."""
        try:
            super().harden_runtime(password, encoded)
        except ValueError:
            self.encode(_ANYTHING, self.salt())


class PBKDF2SHA1(_PBKDF2, PBKDF2SHA1PasswordHasher):
    """`pbkdf2_sha1` of any iteration count."""


class Argon2(_Bridge, Argon2PasswordHasher):
    """`argon2` in its three varieties; writes argon2id with Django's parameters."""

    def decode(self, encoded: str) -> _Decoded:
        decoded: _Decoded = super().decode(encoded)
        memory, passes = decoded["memory_cost"], decoded["time_cost"]
        if (
            min(memory, passes, decoded["parallelism"]) < 1
            or memory > _MOST_ARGON2_MEMORY
            or memory * passes > _MOST_ARGON2_WORK
            or decoded["parallelism"] > _MOST_ARGON2_LANES
        ):
            raise _Unfit
        return decoded

    def must_update(self, encoded: str) -> bool:
        """Whether the parameters or the length of the salt are not those of new hashes."""
        try:
            return Argon2PasswordHasher.must_update(self, encoded)
        except ValueError:
            return True

    def harden_runtime(self, password: str, encoded: str) -> None:
        """Spend one whole run where the check of this hash was another one, or none."""
        if self.must_update(encoded):
            self.encode(_ANYTHING, self.salt())


class BCryptSHA256(_Bridge, BCryptSHA256PasswordHasher):
    """`bcrypt_sha256`: bcrypt over the hexadecimal SHA-256 of the password."""

    def decode(self, encoded: str) -> _Decoded:
        wrap_bcrypt(encoded.removeprefix(f"{self.algorithm}$"))
        decoded: _Decoded = super().decode(encoded)
        if decoded["work_factor"] > _MOST_BCRYPT_ROUNDS:
            raise _Unfit
        return decoded


class BCrypt(BCryptSHA256, BCryptPasswordHasher):
    """`bcrypt$` before what a bcrypt program wrote.

    Like those programs it looks at the first 72 bytes of a password. One with a NUL character fits
    nothing: they end or refuse a password there, and to bcrypt "a" and "a\\0a" are the same.
    """

    algorithm = "bcrypt"
    digest = None

    def encode(self, password: str, salt: bytes) -> str:  # type: ignore[override]
        if "\0" in password:
            raise _Unfit
        hashed = bcrypt.hashpw(password.encode()[:_BCRYPT_BYTES], salt)
        return f"{self.algorithm}${hashed.decode('ascii')}"


class Scrypt(_Bridge, ScryptPasswordHasher):
    """`scrypt` with any parameters that fit in 256 MiB."""

    maxmem = _MOST_SCRYPT_MEMORY

    def decode(self, encoded: str) -> _Decoded:
        decoded: _Decoded = super().decode(encoded)
        n, r, p = decoded["work_factor"], decoded["block_size"], decoded["parallelism"]
        if min(n, r, p) < 1 or n * r * p > _MOST_SCRYPT_WORK:
            raise _Unfit
        return decoded


class SaltedMD5(_Bridge, MD5PasswordHasher):
    """`md5$salt$digest`."""


class SaltedSHA1(_Bridge, MD5PasswordHasher):
    """`sha1$salt$digest`, which Django dropped in 5.1."""

    algorithm = "sha1"

    def encode(self, password: str, salt: str) -> str:
        self._check_encode_args(password, salt)  # type: ignore[attr-defined]
        digest = hashlib.sha1((salt + password).encode(), usedforsecurity=False).hexdigest()
        return f"{self.algorithm}${salt}${digest}"


class _Unsalted(_Bridge):
    """A digest of the password alone. Django finds the class by the name it once gave the form."""

    form: re.Pattern[str]
    digest: str

    def decode(self, encoded: str) -> _Decoded:
        found = self.form.fullmatch(encoded)
        if found is None:
            raise _Unfit
        return {"algorithm": self.algorithm, "salt": "", "hash": found[1]}

    def verify(self, password: str, encoded: str) -> bool:
        try:
            wanted = self.decode(encoded)["hash"]
            given = hashlib.new(self.digest, password.encode(), usedforsecurity=False).hexdigest()
        except ValueError:
            return False
        return constant_time_compare(given, wanted)

    def safe_summary(self, encoded: str) -> _Summary:
        try:
            hashed = self.decode(encoded)["hash"]
        except ValueError:
            return {"algorithm": self.algorithm, "hash": "(damaged)"}
        return {"algorithm": self.algorithm, "hash": mask_hash(hashed)}


class UnsaltedMD5(_Unsalted):
    """32 hexadecimal digits, alone or behind `md5$$`; Django dropped it in 5.1."""

    algorithm = "unsalted_md5"
    form = re.compile(r"(?:md5\$\$)?([0-9a-f]{32})")
    digest = "md5"


class UnsaltedSHA1(_Unsalted):
    """`sha1$$digest`; Django dropped it in 5.1."""

    algorithm = "unsalted_sha1"
    form = re.compile(r"sha1\$\$([0-9a-f]{40})")
    digest = "sha1"
