"""Give every plaintext secret of a legacy database its encrypted row; the old values stay.

The legacy adapters read `serviceconfiguration.api_key` only, so that one wins over the column of
the service itself. The plaintext is cleared by its own command, once nothing old runs any more.

Each batch is a transaction of its own that locks the rows it reads: nobody changes or deletes them
before their copies are there, and nobody waits for longer than a batch. A row that somebody else
has locked is left to `manage.py backfill run credentials`. Killed in the middle it is run again.
"""

from collections.abc import Iterator
from typing import Any

from django.db import migrations, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from federated_imputation.monolith.accounts.secrets import encrypt

_BATCH = 500


def _columns(apps: Any, alias: str) -> Iterator[tuple[QuerySet[Any], str, dict[str, Any]]]:
    """Rows, their column with a secret, and the owner of it: a value, or another column's name."""

    def rows(model: str) -> QuerySet[Any]:
        found: QuerySet[Any] = apps.get_model("imputation", model).objects.using(alias)
        return found.order_by("pk")

    configurations = rows("ServiceConfiguration")
    of_service = {"service_id": "service_id"}
    yield configurations, "api_key", {**of_service, "kind": "api_token"}
    yield configurations, "api_secret", {**of_service, "kind": "api_secret"}
    configured = configurations.filter(service_id=OuterRef("pk")).exclude(api_key="")
    services = rows("ImputationService").filter(~Exists(configured))
    yield services, "api_key", {"service_id": "pk", "kind": "api_token"}
    of_user = {**of_service, "user_id": "user_id"}
    yield rows("UserServiceAccess"), "api_key", {**of_user, "kind": "api_token"}
    yield rows("ImputationJob"), "user_token", {**of_user, "job_id": "pk", "kind": "job_token"}


def encrypt_legacy_secrets(apps: Any, schema_editor: Any) -> None:
    alias = schema_editor.connection.alias
    credential = apps.get_model("imputation", "ServiceCredential")
    for rows, column, owner in _columns(apps, alias):
        of_rows = {name: value for name, value in owner.items() if name != "kind"}
        left = rows.exclude(**{column: ""})
        while keys := list(left.values_list("pk", flat=True)[:_BATCH]):
            with transaction.atomic(using=alias):
                now = timezone.now()
                found = rows.filter(pk__in=keys).exclude(**{column: ""})
                credential.objects.using(alias).bulk_create(
                    [
                        credential(
                            **{name: getattr(row, value) for name, value in of_rows.items()},
                            kind=owner["kind"],
                            encrypted=encrypt(getattr(row, column)),
                            created_at=now,
                            updated_at=now,
                        )
                        for row in found.only(column, *of_rows.values()).select_for_update(
                            skip_locked=True, no_key=True
                        )
                    ],
                    ignore_conflicts=True,
                )
            left = left.filter(pk__gt=keys[-1])


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("imputation", "0008_service_credentials")]

    operations = [migrations.RunPython(encrypt_legacy_secrets, migrations.RunPython.noop)]
