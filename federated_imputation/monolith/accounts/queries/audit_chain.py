"""Checking that the audit log is what the database sealed.

Everything is computed here from plain columns: neither the database's own function nor a stored
text is believed. What this cannot see: rows from before the chain, which have no seals; and a
chain that somebody with the rights of the tables' owner has cut off at its end, emptied or written
anew as a whole. The latter is seen against a head that was noted elsewhere.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple

from django.db import connection, transaction

from federated_imputation.monolith.accounts.models import AuditSeal

__all__ = ["AuditFault", "AuditHead", "AuditReport", "FaultKind", "verify_audit_log"]

_ROWS_AT_ONCE: Final = 2_000
# One statement is one moment: what commits meanwhile is not seen in halves.
_EVERYTHING: Final = """
    SELECT seal.position, seal.audit_id, seal.actor_id, seal.previous, seal.digest,
           log.id, log.user_id,
           log.action, log.resource_type, log.resource_id, log.details::text,
           log.ip_address::text, log.user_agent, extract(epoch FROM log.timestamp)::text
    FROM imputation_auditseal AS seal
    FULL JOIN imputation_auditlog AS log ON log.id = seal.audit_id
    ORDER BY seal.position NULLS LAST, log.id
"""


class FaultKind(StrEnum):
    """What is wrong with a place of the chain."""

    CHANGED = "changed"
    MISSING = "missing"
    INSERTED = "inserted"
    REORDERED = "reordered"


@dataclass(frozen=True, kw_only=True)
class AuditHead:
    """A seal by which a chain is known again; write it down where the database's owner cannot."""

    position: int
    digest: str

    @classmethod
    def parse(cls, text: str) -> "AuditHead":
        """The head written as `POSITION:DIGEST`.

        Raises:
            ValueError: It is not.
        """
        position, _, digest = text.partition(":")
        if not position.isascii() or not position.isdigit() or len(digest) != 64:
            raise ValueError(text)
        return cls(position=int(position), digest=digest.lower())

    def __str__(self) -> str:
        return f"{self.position}:{self.digest}"


@dataclass(frozen=True, kw_only=True)
class AuditFault:
    """The first place where the log is not what was sealed.

    Attributes:
        position: In the chain; `None` for a row of the log that has none.
        audit_id: The row of the log, where one is known.
    """

    kind: FaultKind
    position: int | None
    audit_id: int | None


@dataclass(frozen=True, kw_only=True)
class AuditReport:
    """What was found, up to the first fault if there is one.

    Attributes:
        sealed: How many rows are as they were sealed.
        unsealed: How many rows are older than the chain.
        head: The last good seal; `None` when there is none.
    """

    sealed: int = 0
    unsealed: int = 0
    head: AuditHead | None = None
    fault: AuditFault | None = None


class _Link(NamedTuple):
    """A seal and its row of the log; one of the two may be absent (`None` in all its columns)."""

    position: int | None
    audit_id: int | None
    actor_id: int | None
    previous: str
    digest: str
    log_id: int | None
    user_id: int | None
    action: str
    resource_type: str
    resource_id: str
    details: str
    ip_address: str | None
    user_agent: str
    seconds: str

    def expected_digest(self) -> str:
        """The digest that the row, at this position behind `previous`, must have been sealed with.

        Migration 0013 says how the text is made.
        """
        numbers = (self.position, self.audit_id, self.actor_id)
        fields = (*(None if number is None else str(number) for number in numbers), *self[7:])
        text = "".join(map(_netstring, fields))
        return sha256(f"{self.previous}{text}".encode()).hexdigest()


def verify_audit_log(*, expected: AuditHead | None = None) -> AuditReport:
    """Recompute the whole chain, in constant memory, and report its first fault.

    Args:
        expected: A head that was noted earlier: the chain must lead through it.
    """
    return _verified(_links(), expected=expected, position_of=_position_of)


def _verified(
    links: Iterable[_Link],
    *,
    expected: AuditHead | None,
    position_of: Callable[[str], int | None],
) -> AuditReport:
    sealed = unsealed = 0
    head: AuditHead | None = None
    newest_before: int | None = None  # what is older than the chain has no higher id
    for link in links:
        if link.position is None:
            if expected is not None and sealed < expected.position:
                break
            if newest_before is not None and (link.log_id or 0) > newest_before:
                fault = AuditFault(kind=FaultKind.INSERTED, position=None, audit_id=link.log_id)
                return AuditReport(sealed=sealed, unsealed=unsealed, head=head, fault=fault)
            unsealed += 1
            continue
        if head is None:
            newest_before = _newest_before(link.previous)
        found = _fault(link, head=head, expected=expected, position_of=position_of)
        if found is not None:
            return AuditReport(sealed=sealed, unsealed=unsealed, head=head, fault=found)
        head = AuditHead(position=link.position, digest=link.digest)
        sealed += 1
    if expected is not None and sealed < expected.position:
        fault = AuditFault(kind=FaultKind.MISSING, position=sealed + 1, audit_id=None)
        return AuditReport(sealed=sealed, unsealed=unsealed, head=head, fault=fault)
    return AuditReport(sealed=sealed, unsealed=unsealed, head=head)


def _fault(
    link: _Link,
    *,
    head: AuditHead | None,
    expected: AuditHead | None,
    position_of: Callable[[str], int | None],
) -> AuditFault | None:
    """What is wrong with a sealed link that follows `head`; `None` when it is as it was sealed."""
    place = head.position + 1 if head else 1
    if link.position != place:
        return AuditFault(kind=FaultKind.MISSING, position=place, audit_id=None)
    kind = None
    if head is not None and link.previous != head.digest:
        builds_on = position_of(link.previous)
        if builds_on is None:
            kind = FaultKind.MISSING
        elif builds_on < place:
            place, kind = builds_on + 1, FaultKind.INSERTED
        else:
            kind = FaultKind.REORDERED
    elif link.log_id is None:
        kind = FaultKind.MISSING
    elif (
        link.expected_digest() != link.digest
        or link.user_id not in (None, link.actor_id)
        or (expected is not None and place == expected.position and link.digest != expected.digest)
    ):
        kind = FaultKind.CHANGED
    if kind is None:
        return None
    return AuditFault(kind=kind, position=place, audit_id=link.audit_id)


def _netstring(field: str | None) -> str:
    return "-," if field is None else f"{len(field.encode())}:{field},"


def _newest_before(first_previous: str) -> int | None:
    """The id that the first seal tells of the rows before the chain; `None` when it tells none."""
    return int(first_previous) if first_previous.isdecimal() else None


def _links() -> Iterator[_Link]:
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(_EVERYTHING)
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            yield from map(_Link._make, rows)


def _position_of(digest: str) -> int | None:
    positions = AuditSeal.objects.filter(digest=digest).values_list("position", flat=True)
    return positions.order_by("position").first()
