"""The shipped hashers with the work of the writing ones cut down: reading is the same code."""

from typing import ClassVar

from apps.contracts.passwords import hasher_paths
from apps.shared.identity.hashers import PBKDF2SHA256, Argon2

__all__ = ["CheapArgon2", "CheapPBKDF2SHA256", "cheap_hashers"]


class CheapPBKDF2SHA256(PBKDF2SHA256):
    """Counts the iterations that it ran."""

    iterations = 100
    spent: ClassVar[int] = 0

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        CheapPBKDF2SHA256.spent += iterations or self.iterations
        return super().encode(password, salt, iterations)


class CheapArgon2(Argon2):
    time_cost = 1
    memory_cost = 64
    parallelism = 1


def cheap_hashers(*, upgrade: bool) -> list[str]:
    """As `hasher_paths`, in the same order."""
    return [
        path.replace("apps.shared.identity.hashers", __name__).replace(name, f"Cheap{name}")
        if (name := path.rpartition(".")[2]) in {"Argon2", "PBKDF2SHA256"}
        else path
        for path in hasher_paths(upgrade=upgrade)
    ]
