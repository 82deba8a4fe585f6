"""What is being deleted: which rows are to be shown to nobody any more."""

from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from operator import or_
from typing import Any, Self
from uuid import UUID

from django.db.models import Q, QuerySet

from federated_imputation.monolith.deletions.models import Deletion

__all__ = ["Kind", "Subject", "being_deleted", "is_being_deleted"]


class Kind(StrEnum):
    """What a deletion that leaves its domain can be of."""

    USER = "user"
    SERVICE = "service"
    PANEL = "panel"
    JOB = "job"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is deleted; `id` is a UUID of a job, else a number."""

    kind: Kind
    id: int | UUID

    @classmethod
    def of(cls, deletion: Deletion) -> Self:
        kind = next(kind for kind in Kind if getattr(deletion, f"{kind}_id") is not None)
        return cls(kind=kind, id=getattr(deletion, f"{kind}_id"))

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


def being_deleted(
    *,
    user: str | None = None,
    service: str | None = None,
    panel: str | None = None,
    job: str | None = None,
) -> Q:
    """Whether a subject that a row belongs to is on its way out; for filters, with `~` before it.

    Args:
        user, service, panel, job: The lookup from the row to the id of its subject of that kind.
    """
    columns = {"user_id": user, "service_id": service, "panel_id": panel, "job_id": job}
    # One hashed list each: a join over any of the columns would compare every row with every one.
    return reduce(
        or_, (Q(**{f"{column}__in": _ids(kind)}) for kind, column in columns.items() if column)
    )


def _ids(kind: str) -> QuerySet[Deletion, Any]:
    ids: QuerySet[Deletion, Any] = Deletion.objects.filter(**{f"{kind}__isnull": False}).values(
        kind
    )
    return ids


def is_being_deleted(subject: Subject) -> bool:
    """Whether the subject itself is on its way out."""
    return Deletion.objects.filter(**{f"{subject.kind}_id": subject.id}).exists()
