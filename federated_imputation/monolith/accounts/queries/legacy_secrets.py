"""The plaintext secrets that the legacy system left in its columns, beside their encrypted rows.

The columns are read as tables of the database, since they lie in rows of other domains and go when
these do.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from uuid import UUID

from django.db import connection
from django.db.models import Q

from federated_imputation.monolith.accounts.models import ServiceCredential
from federated_imputation.monolith.accounts.secrets import Undecryptable, decrypt

__all__ = [
    "LEGACY_COLUMNS",
    "LegacyColumn",
    "LegacySecret",
    "Standing",
    "count_legacy_secrets",
    "legacy_keys_after",
    "legacy_secrets",
    "standings",
]

Lock = Literal["", "FOR SHARE SKIP LOCKED", "FOR UPDATE"]
# How an encrypted row stands to the plaintext: see `standings`.
Standing = Literal["equal", "missing", "unequal", "undecryptable"]


@dataclass(frozen=True, kw_only=True)
class LegacyColumn:
    """A column of the legacy system that holds secrets.

    Attributes:
        owner: SQL of the service's, the user's and the job's id.
        is_told: SQL that says whether the value is one that the legacy system used.
        key_type: Of the table's primary key, `id`.
    """

    table: str
    column: str
    kind: ServiceCredential.Kind
    owner: str
    is_told: str = "true"
    key_type: str = "bigint"


@dataclass(frozen=True, kw_only=True)
class LegacySecret:
    """A value of such a column. `str()` is where it lies, and never what it is."""

    column: LegacyColumn
    pk: str
    service_id: int
    user_id: int | None
    job_id: UUID | None
    secret: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.column.table} {self.pk} {self.column.column}"


# In this order: the first value of an owner and a kind is the one that counts. The legacy adapters
# read a service's key from its configuration alone, so that one wins.
LEGACY_COLUMNS: Final = (
    LegacyColumn(
        table="imputation_serviceconfiguration",
        column="api_key",
        kind=ServiceCredential.Kind.API_TOKEN,
        owner="service_id, NULL::integer, NULL::uuid",
    ),
    LegacyColumn(
        table="imputation_serviceconfiguration",
        column="api_secret",
        kind=ServiceCredential.Kind.API_SECRET,
        owner="service_id, NULL::integer, NULL::uuid",
    ),
    LegacyColumn(
        table="imputation_imputationservice",
        column="api_key",
        kind=ServiceCredential.Kind.API_TOKEN,
        owner="id, NULL::integer, NULL::uuid",
        is_told="NOT EXISTS (SELECT FROM imputation_serviceconfiguration AS configuration "
        "WHERE configuration.service_id = imputation_imputationservice.id "
        "AND configuration.api_key <> '')",
    ),
    LegacyColumn(
        table="imputation_userserviceaccess",
        column="api_key",
        kind=ServiceCredential.Kind.API_TOKEN,
        owner="service_id, user_id, NULL::uuid",
    ),
    LegacyColumn(
        table="imputation_imputationjob",
        column="user_token",
        kind=ServiceCredential.Kind.JOB_TOKEN,
        owner="service_id, user_id, id",
        key_type="uuid",
    ),
)


def count_legacy_secrets(column: LegacyColumn) -> int:
    """How many rows hold a secret in that column."""
    [[number]] = _rows(
        f"SELECT count(*) FROM {column.table} WHERE {column.column} <> ''",  # noqa: S608
        [],
    )
    return int(number)


def legacy_keys_after(
    column: LegacyColumn, pk: str, *, most: int, also_untold: bool = False
) -> list[str]:
    """Primary keys, in their order and as text, of the next rows with a secret in that column.

    Args:
        pk: The last one before; '' for the first.
        also_untold: Whether those count that the legacy system did not use.
    """
    is_told = "true" if also_untold else column.is_told
    after = f"AND {column.table}.id > %s::{column.key_type}" if pk else ""
    rows = _rows(
        f"SELECT id::text FROM {column.table} "  # noqa: S608
        f"WHERE {column.column} <> '' AND {is_told} {after} ORDER BY {column.table}.id LIMIT %s",
        [pk, most] if pk else [most],
    )
    return [key for (key,) in rows]


def legacy_secrets(
    column: LegacyColumn, keys: Sequence[str], *, lock: Lock = ""
) -> list[LegacySecret]:
    """The secrets in these rows; never log them. Rows that are gone or empty are left out."""
    rows = _rows(
        f"SELECT id::text, {column.owner}, {column.column} FROM {column.table} "  # noqa: S608
        f"WHERE id = ANY(%s::{column.key_type}[]) AND {column.column} <> '' "
        f"ORDER BY {column.table}.id {lock}",
        [list(keys)],
    )
    return [
        LegacySecret(
            column=column, pk=pk, service_id=service, user_id=user, job_id=job, secret=secret
        )
        for pk, service, user, job, secret in rows
    ]


def standings(found: Sequence[LegacySecret], *, locked: bool = False) -> list[Standing]:
    """For each secret whether its owner's encrypted row is there and holds the same.

    Args:
        locked: Keep the encrypted rows as they are until the transaction ends.
    """
    rows = ServiceCredential.objects.select_for_update() if locked else ServiceCredential.objects
    wanted = Q(job_id__in=[each.job_id for each in found if each.job_id]) | Q(
        job_id__isnull=True, service_id__in={each.service_id for each in found}
    )
    stored: dict[tuple[Any, ...], str] = defaultdict(str)
    for row in rows.filter(wanted).order_by("pk"):
        stored[_owner(row)] = row.encrypted
    return [_standing(each.secret, stored[_owner(each)]) for each in found]


def _owner(of: ServiceCredential | LegacySecret) -> tuple[Any, ...]:
    kind = of.column.kind if isinstance(of, LegacySecret) else of.kind
    owner = (of.job_id,) if of.job_id else (of.service_id, of.user_id)
    return (*owner, str(kind))


def _standing(secret: str, encrypted: str) -> Standing:
    if not encrypted:
        return "missing"
    try:
        return "equal" if decrypt(encrypted) == secret else "unequal"
    except Undecryptable:
        return "undecryptable"


def _rows(sql: str, values: list[str | int | list[str]]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
