"""What becomes of the plaintext secrets that the legacy system left: encrypted, checked, emptied.

Migration 0009 encrypted those that were there. A legacy process that goes on may write more, which
a backfill encrypts. The plaintext stays, so that going back loses nothing, until a person asks for
its end; then only that goes which is known to be in an encrypted row.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection, transaction

from federated_imputation.monolith.accounts.models import ServiceCredential
from federated_imputation.monolith.accounts.queries.legacy_secrets import (
    LEGACY_COLUMNS,
    LegacyColumn,
    LegacySecret,
    Standing,
    legacy_keys_after,
    legacy_secrets,
    standings,
)
from federated_imputation.monolith.accounts.secrets import encrypt

__all__ = [
    "Emptying",
    "empty_legacy_secrets",
    "empty_legacy_secrets_of_service",
    "encrypt_legacy_secrets",
]

_BATCH: Final = 500


@dataclass(frozen=True, kw_only=True)
class Emptying:
    """What a run found, and did if it was to.

    Attributes:
        counts: How many values stood how to their encrypted rows.
        emptied: How many are gone from their columns.
        left: Where those lie that stay, and how they stand.
    """

    counts: Mapping[Standing, int]
    emptied: int
    left: tuple[tuple[LegacySecret, Standing], ...]


def encrypt_legacy_secrets(
    column: LegacyColumn, keys: Sequence[str], *, now: datetime
) -> list[str]:
    """Give those their encrypted rows that have none, in the caller's transaction.

    A row that is there stays: its owner may have stored another secret since.

    Returns:
        The keys of the rows that nobody else had locked.
    """
    found = legacy_secrets(column, keys, lock="FOR SHARE SKIP LOCKED")
    missing = [
        each
        for each, standing in zip(found, standings(found), strict=True)
        if standing == "missing"
    ]
    ServiceCredential.objects.bulk_create(
        [
            ServiceCredential(
                service_id=each.service_id,
                user_id=each.user_id,
                job_id=each.job_id,
                kind=column.kind,
                encrypted=encrypt(each.secret),
                created_at=now,
                updated_at=now,
            )
            for each in missing
        ],
        ignore_conflicts=True,
    )
    return [each.pk for each in found]


def empty_legacy_secrets(*, for_good: bool, also_unequal: bool = False) -> Emptying:
    """Compare each plaintext secret with its encrypted row, and empty it where both are equal.

    Each batch is one transaction that locks both, so that nothing changes between the look and
    the end; a run that is killed has done whole batches, and the next does the rest.

    Args:
        for_good: Whether to empty anything; else this only tells.
        also_unequal: Empty those, too, whose owner's encrypted row holds another secret.
    """
    may_go: set[Standing] = {"equal", "unequal"} if also_unequal else {"equal"}
    counts: Counter[Standing] = Counter()
    emptied = 0
    left = []
    for column in LEGACY_COLUMNS:
        last = ""
        while keys := legacy_keys_after(column, last, most=_BATCH, also_untold=True):
            last = keys[-1]
            with transaction.atomic():
                found = legacy_secrets(column, keys, lock="FOR UPDATE" if for_good else "")
                judged = list(zip(found, standings(found, locked=for_good), strict=True))
                gone = [each for each, standing in judged if for_good and standing in may_go]
                _empty(column, gone)
            counts.update(standing for _, standing in judged)
            emptied += len(gone)
            left += [pair for pair in judged if pair[1] not in may_go]
    return Emptying(counts=counts, emptied=emptied, left=tuple(left))


def empty_legacy_secrets_of_service(*, service_id: int) -> None:
    """Empty all plaintext that opens a service: what was forgotten must not be found again."""
    for column in LEGACY_COLUMNS:
        key = "id" if column.table == "imputation_imputationservice" else "service_id"
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {column.table} SET {column.column} = '' "  # noqa: S608
                f"WHERE {key} = %s AND {column.column} <> ''",
                [service_id],
            )


def _empty(column: LegacyColumn, gone: Sequence[LegacySecret]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {column.table} SET {column.column} = '' "  # noqa: S608
            f"WHERE id = ANY(%s::{column.key_type}[])",
            [[each.pk for each in gone]],
        )
