"""Deletions that reach over several domains, each a row until everything is gone.

The story of a deletion. Somebody who may asks for it, and the owner of the **subject** (a user, a
service, a panel, a job) switches the subject off and writes the row, in one transaction: from then
on nobody sees the subject or what hangs on it, nobody can use it, and its name is free. Then the
tick takes the row under a lease and goes on from `step`: external jobs are cancelled first, while
the tokens for that are there; each domain deletes its own rows, and bytes after the rows that name
them; last go the subject's own row and this one, in one transaction. Every step may be done again,
so a worker that dies leaves nothing to mend: the lease ends and another goes on.

`sagas.deletion` does the steps; it knows the domains. Domains know only this package.
"""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.shared.leases import Leased

__all__ = ["Deletion"]

_KINDS = ("user_id", "service_id", "panel_id", "job_id")


def _only(kind: str) -> Q:
    return Q(**{f"{each}__isnull": each != kind for each in _KINDS})


class Deletion(Leased):
    """One subject on its way out.

    Ids are plain, since the subject's row goes before this one, by our hand or by a legacy
    process's. `step` is the step to do next, '' for the first; the row is due at `next_try_at`.
    """

    user_id = models.IntegerField(null=True, blank=True, unique=True)
    service_id = models.BigIntegerField(null=True, blank=True, unique=True)
    panel_id = models.BigIntegerField(null=True, blank=True, unique=True)
    job_id = models.UUIDField(null=True, blank=True, unique=True)
    asked_by = models.IntegerField(null=True, blank=True)
    step = models.CharField(max_length=40, blank=True, db_default="")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    next_try_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=_only("user_id")
                | _only("service_id")
                | _only("panel_id")
                | _only("job_id"),
                name="deletion_of_one_subject",
            ),
        ]

    def __str__(self) -> str:
        return f"Deletion {self.pk}, to do: {self.step or 'everything'}"
