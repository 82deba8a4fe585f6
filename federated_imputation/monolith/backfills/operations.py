"""Running a backfill on a live database.

The story. A **pass** walks all keys of the legacy table in their order, a batch at a time. What
takes long and needs no row is prepared first. Then a batch is one transaction: it locks the row of
the backfill's progress, reads the next keys, compares, locks those rows whose copies are not equal
(and that nobody else has locked), makes their copies, and stores how far it is. A process that is
killed anywhere has done whole batches only, and the next one goes on behind the last; two at once
take turns.

Rows that others had locked, and those that old processes wrote behind the place of a pass, are for
the next pass. A backfill is **finished** when a pass has found nothing to write. It may be run
again at any time, and then looks at everything again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction

from federated_imputation.monolith.backfills.catalogue import MOST_IN_A_BATCH, Backfill
from federated_imputation.monolith.backfills.models import BackfillProgress

__all__ = ["BATCH", "Batch", "run_backfill", "run_batch"]

BATCH: Final = 1_000
# So often everything that is left may be locked by others before a run gives up.
_MOST_VAIN_PASSES: Final = 10


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What is committed after a batch.

    Attributes:
        progress: The row as it is now.
        ends_pass: Whether no key is left in this pass.
        was_vain: Whether it ended a pass that wrote nothing, since others had locked all there was.
    """

    progress: BackfillProgress
    ends_pass: bool
    was_vain: bool = False


def run_backfill(
    backfill: Backfill,
    *,
    clock: Callable[[], datetime],
    pause: Callable[[], None],
    wait: Callable[[], None],
    size: int = BATCH,
    tell: Callable[[BackfillProgress], None] = lambda progress: None,
) -> BackfillProgress:
    """Run `backfill` until a pass finds nothing to write; go on where an earlier run was killed.

    Args:
        pause: Called between batches, to leave room for others.
        wait: Called between passes that found everything that was left locked.
        size: Keys in a batch, 1 to 5 000.
        tell: Called after each batch with what is committed.

    Returns:
        The progress; not finished when others kept rows locked for ten passes.

    Raises:
        ValueError: `size` is out of range.
    """
    vain = 0
    batch = run_batch(backfill, size=size, now=clock(), anew=True)
    tell(batch.progress)
    while batch.progress.finished_at is None:
        if batch.ends_pass:
            vain = vain + 1 if batch.was_vain else 0
            if vain == _MOST_VAIN_PASSES:
                break
        (wait if batch.was_vain else pause)()
        batch = run_batch(backfill, size=size, now=clock())
        tell(batch.progress)
    return batch.progress


def run_batch(backfill: Backfill, *, size: int, now: datetime, anew: bool = False) -> Batch:
    """Look at the next `size` keys, write what is not equal, and store how far that is.

    Args:
        anew: Begin from the start if the backfill is finished; else that is the end of it.

    Raises:
        ValueError: `size` is out of range.
    """
    if not 1 <= size <= MOST_IN_A_BATCH:
        raise ValueError(f"A batch has 1 to {MOST_IN_A_BATCH} keys.")
    size = min(size, backfill.most)
    before = BackfillProgress.objects.filter(pk=backfill.name).first()
    cursor = before.cursor if before is not None and before.finished_at is None else ""
    backfill.prepare(cursor, most=size)
    return _committed(backfill, size=size, now=now, anew=anew)


@transaction.atomic
def _committed(backfill: Backfill, *, size: int, now: datetime, anew: bool) -> Batch:
    progress = _locked(backfill.name, now=now)
    if progress.finished_at is not None:
        if not anew:
            return Batch(progress=progress, ends_pass=True)
        _begin_pass(progress)
        progress.passes, progress.written_in_all = 0, 0
        progress.started_at, progress.finished_at = now, None
    keys = backfill.keys_after(progress.cursor, most=size)
    found = backfill.differences(keys) if keys else []
    wrong = sorted({each.key for each in found if not each.is_for_a_person})
    written = backfill.write(wrong) if wrong else []
    progress.looked += len(keys)
    progress.written += len(written)
    progress.written_in_all += len(written)
    progress.skipped += len(wrong) - len(written)
    progress.cursor = keys[-1] if keys else progress.cursor
    progress.updated_at = now
    return _stored(progress, ends_pass=len(keys) < size, now=now)


def _stored(progress: BackfillProgress, *, ends_pass: bool, now: datetime) -> Batch:
    was_vain = False
    if ends_pass:
        progress.passes += 1
        if not progress.written and not progress.skipped:
            progress.finished_at = now
        else:
            was_vain = not progress.written
            _begin_pass(progress)
    progress.save()
    return Batch(progress=progress, ends_pass=ends_pass, was_vain=was_vain)


def _begin_pass(progress: BackfillProgress) -> None:
    progress.cursor = ""
    progress.looked = progress.written = progress.skipped = 0


def _locked(name: str, *, now: datetime) -> BackfillProgress:
    BackfillProgress.objects.bulk_create(
        [BackfillProgress(name=name, started_at=now, updated_at=now)], ignore_conflicts=True
    )
    return BackfillProgress.objects.select_for_update().get(pk=name)
