"""What is left to copy, and how far each backfill is."""

from collections.abc import Iterator
from typing import Final

from django.db import transaction

from federated_imputation.monolith.backfills.catalogue import Backfill, Difference
from federated_imputation.monolith.backfills.models import BackfillProgress

__all__ = ["differences", "progress_of"]

_BATCH: Final = 1_000


def differences(backfill: Backfill) -> Iterator[Difference]:
    """Every row whose copy is not equal, in the order of the keys.

    Read in batches, each of its own transaction: rows may change meanwhile, and what is inserted
    behind the place that was read is not seen. What the legacy columns do not tell is not compared.
    """
    cursor = ""
    while True:
        with transaction.atomic():
            keys = backfill.keys_after(cursor, most=_BATCH)
            found = backfill.differences(keys) if keys else []
        yield from found
        if len(keys) < _BATCH:
            return
        cursor = keys[-1]


def progress_of(backfill: Backfill) -> BackfillProgress | None:
    """How far it is; `None` when it never ran."""
    return BackfillProgress.objects.filter(pk=backfill.name).first()
