"""How far each backfill is."""

from django.db import models
from django.db.models.functions import Now

__all__ = ["BackfillProgress"]


class BackfillProgress(models.Model):
    """Written in the transaction of each batch, so that it tells what is committed and no more.

    `cursor` is the last key that the pass under way has looked at, as text; '' before the first.
    `written` and `skipped` are those of the pass under way, `written_in_all` those of all passes.
    A backfill is finished when a pass has found nothing left to write.
    """

    name = models.CharField(max_length=50, primary_key=True)
    passes = models.PositiveIntegerField(db_default=0, default=0)
    cursor = models.CharField(max_length=50, blank=True, db_default="", default="")
    looked = models.BigIntegerField(db_default=0, default=0)
    written = models.BigIntegerField(db_default=0, default=0)
    skipped = models.BigIntegerField(db_default=0, default=0)
    written_in_all = models.BigIntegerField(db_default=0, default=0)
    started_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name
