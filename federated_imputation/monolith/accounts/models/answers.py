"""Answers that are kept for clients that ask again."""

from django.db import models

__all__ = ["StoredAnswer"]


class StoredAnswer(models.Model):
    """What a request was answered whose client named it by an `Idempotency-Key`; kept for a day.

    The row is inserted before anything is done and filled in the same transaction, so whoever else
    brings the key waits for it, and nobody ever sees it without its answer.
    """

    key = models.CharField(max_length=64, primary_key=True)
    digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(db_default=0, default=0)
    encrypted = models.TextField(db_default="", default="", editable=False)  # the body, as JSON
    created_at = models.DateTimeField(db_index=True, editable=False)

    def __str__(self) -> str:
        return f"Answer {self.status} of {self.created_at}"
