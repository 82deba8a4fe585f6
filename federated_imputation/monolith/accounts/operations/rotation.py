"""Encrypting every stored secret again with the first key.

Each row is one statement that commits by itself and holds only while the row still is what was
read: a secret that is stored at the same moment wins, and a run that is killed anywhere has done
whole rows only. The next run finds what is left, because it looks at the rows and remembers
nothing.
"""

from dataclasses import dataclass

from federated_imputation.monolith.accounts.queries.encrypted import EncryptedRow, encrypted_rows
from federated_imputation.monolith.accounts.secrets import (
    Undecryptable,
    find_key,
    fingerprints,
    reencrypt,
)

__all__ = ["Rotation", "rotate_secrets"]


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """What a run did.

    Attributes:
        rotated: Rows that are now under the first key.
        current: Rows that were already.
        undecryptable: Rows that no key opens; they are as they were.
    """

    rotated: int
    current: int
    undecryptable: tuple[EncryptedRow, ...]


def rotate_secrets() -> Rotation:
    """Bring every encrypted row under the first of `FIELD_ENCRYPTION_KEYS`.

    Afterwards, if nothing was undecryptable and every process that writes secrets puts the same
    key first, no row needs the other keys.
    """
    first = fingerprints()[0]
    rotated = current = 0
    undecryptable = []
    for row, encrypted in encrypted_rows():
        if find_key(encrypted) == first:
            current += 1
            continue
        try:
            rotated += _rotate(row, encrypted)
        except Undecryptable:
            undecryptable.append(row)
    return Rotation(rotated=rotated, current=current, undecryptable=tuple(undecryptable))


def _rotate(row: EncryptedRow, encrypted: str) -> bool:
    """Whether the row was changed here; not when it is gone, or was written anew under the key."""
    rows = row.model._default_manager.filter(pk=row.pk)
    read: str | None = encrypted
    while read is not None:
        if rows.filter(encrypted=read).update(encrypted=reencrypt(read)):
            return True
        read = rows.values_list("encrypted", flat=True).first()
        if read is not None and find_key(read) == fingerprints()[0]:
            return False
    return False
