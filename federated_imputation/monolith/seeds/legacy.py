"""Loads the legacy system's first data into an empty database, once.

That it was done is written down in the audit log, in the same transaction. From then on the data
belong to the operators: a later run changes nothing, whatever they edited or deleted.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Permission, User
from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.models import Model

from federated_imputation.monolith.accounts.models import AuditLog, UserProfile, UserRole
from federated_imputation.monolith.accounts.operations import record_audit
from federated_imputation.monolith.models import (
    ImputationJob,
    ImputationService,
    ReferencePanel,
    ServiceUserGroup,
)
from federated_imputation.monolith.seeds import rows

__all__ = ["ADMINISTRATOR", "NotOurDatabase", "is_seeded", "seed_legacy"]

ADMINISTRATOR: Final = "admin"
_MARK: Final[dict[str, Any]] = {
    "action": "system_config",
    "resource_type": "database",
    "resource_id": "seed legacy",
}
# Where any row means that somebody uses the database already.
_MUST_BE_EMPTY: Final[tuple[type[Model], ...]] = (
    User,
    UserRole,
    ImputationService,
    ReferencePanel,
    ImputationJob,
    ServiceUserGroup,
    AuditLog,
)
_SEEDED: Final[tuple[type[Model], ...]] = (
    User,
    UserRole,
    UserProfile,
    ImputationService,
    ReferencePanel,
)
_LOCK: Final = 0x5EED


class NotOurDatabase(Exception):
    """The database holds data that this command did not write."""

    def __init__(self, tables: list[str]) -> None:
        super().__init__(
            f"This database holds other data ({', '.join(tables)}); nothing was changed."
        )
        self.tables = tables


def is_seeded() -> bool:
    """Whether `seed_legacy` filled this database."""
    return AuditLog.objects.filter(**_MARK).exists()


@transaction.atomic
def seed_legacy(*, admin_password: Callable[[], str], now: datetime) -> bool:
    """Load the rows with their ids and return True, or False when it was done before.

    Args:
        admin_password: Gives the password of the user `admin`; asked for only when the rows are
            written. `test_user` gets none and cannot log in.

    Raises:
        NotOurDatabase: The database holds other data.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    if is_seeded():
        return False
    filled = [model._meta.db_table for model in _MUST_BE_EMPTY if model._base_manager.exists()]
    if filled:
        raise NotOurDatabase(filled)
    _create(User, _with_passwords(rows.USERS, admin_password()), date_joined=now)
    _create(UserRole, rows.ROLES, created_at=now)
    for role_id, codenames in rows.ROLE_PERMISSIONS.items():
        UserRole.objects.get(pk=role_id).permissions.set(_permissions(codenames))
    _create(UserProfile, rows.PROFILES, created_at=now, verification_date=now)
    _create(ImputationService, rows.SERVICES, created_at=now)
    _create(ReferencePanel, rows.PANELS, created_at=now)
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), list(_SEEDED)):
            cursor.execute(statement)
    record_audit(**_MARK, user_id=None, origin=None, now=now)
    return True


def _with_passwords(users: tuple[dict[str, Any], ...], admin: str) -> list[dict[str, Any]]:
    return [
        {**user, "password": make_password(admin if user["username"] == ADMINISTRATOR else None)}
        for user in users
    ]


def _permissions(codenames: tuple[tuple[str, str], ...]) -> list[Permission]:
    found = {
        (permission.content_type.app_label, permission.codename): permission
        for permission in Permission.objects.select_related("content_type")
    }
    return [found[codename] for codename in codenames]


def _create(model: type[Model], values: Any, **common: Any) -> None:
    model._base_manager.bulk_create(model(**common, **row) for row in values)
