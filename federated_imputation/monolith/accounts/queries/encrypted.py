"""Every row that holds something encrypted, and with which key."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.db import models

from federated_imputation.monolith.accounts.models import (
    ServiceCredential,
    SigningKey,
    StoredAnswer,
)
from federated_imputation.monolith.accounts.secrets import find_key, fingerprints

__all__ = ["ENCRYPTED_MODELS", "EncryptedRow", "SecretsByKey", "count_secrets", "encrypted_rows"]

# The models with a column `encrypted`; a test compares it with all models there are.
ENCRYPTED_MODELS: Final[tuple[type[models.Model], ...]] = (
    ServiceCredential,
    SigningKey,
    StoredAnswer,
)
_BATCH: Final = 500


@dataclass(frozen=True, kw_only=True)
class EncryptedRow:
    """Where a secret lies. `str()` is the table and the row's primary key."""

    model: type[models.Model]
    pk: Any

    def __str__(self) -> str:
        return f"{self.model._meta.db_table} {self.pk}"


@dataclass(frozen=True, kw_only=True)
class SecretsByKey:
    """Attributes:
    counts: How many rows each key of the setting opens, by its fingerprint, in its order.
    undecryptable: Rows that no key opens.
    """

    counts: dict[str, int]
    undecryptable: tuple[EncryptedRow, ...]


def count_secrets() -> SecretsByKey:
    """Count by key; decrypts every row, and keeps none."""
    found: Counter[str] = Counter()
    undecryptable = []
    for row, encrypted in encrypted_rows():
        key = find_key(encrypted)
        if key is None:
            undecryptable.append(row)
        else:
            found[key] += 1
    return SecretsByKey(
        counts={key: found[key] for key in fingerprints()}, undecryptable=tuple(undecryptable)
    )


def encrypted_rows() -> Iterator[tuple[EncryptedRow, str]]:
    """Every encrypted row with its token, table by table, in the order of the primary keys.

    Read in batches, each of its own statement: rows may change meanwhile, and what is inserted
    behind the place that was read is not seen.
    """
    for model in ENCRYPTED_MODELS:
        rows = model._default_manager.order_by("pk").values_list("pk", "encrypted")
        batch = list(rows[:_BATCH])
        while batch:
            for pk, encrypted in batch:
                yield EncryptedRow(model=model, pk=pk), encrypted
            batch = list(rows.filter(pk__gt=batch[-1][0])[:_BATCH])
