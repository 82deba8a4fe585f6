"""Give every plaintext secret of a legacy database its encrypted row; the old values stay.

The legacy adapters read `serviceconfiguration.api_key` only, so that one wins over the column of
the service itself. The plaintext is cleared by its own command, once nothing old runs any more.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.db import migrations
from django.utils import timezone

from federated_imputation.monolith.accounts.secrets import encrypt

_BATCH = 500


def _plaintext(apps: Any, alias: str) -> Iterator[dict[str, Any]]:
    def rows(model: str, *columns: str) -> Iterator[Any]:
        manager = apps.get_model("imputation", model).objects.using(alias)
        return iter(manager.order_by("pk").values_list(*columns).iterator(chunk_size=_BATCH))

    configured = set()
    for service, key, secret in rows("ServiceConfiguration", "service_id", "api_key", "api_secret"):
        if key:
            configured.add(service)
            yield {"service_id": service, "kind": "api_token", "secret": key}
        if secret:
            yield {"service_id": service, "kind": "api_secret", "secret": secret}
    for service, key in rows("ImputationService", "id", "api_key"):
        if key and service not in configured:
            yield {"service_id": service, "kind": "api_token", "secret": key}
    for service, user, key in rows("UserServiceAccess", "service_id", "user_id", "api_key"):
        if key:
            yield {"service_id": service, "user_id": user, "kind": "api_token", "secret": key}
    for job, service, user, token in rows(
        "ImputationJob", "id", "service_id", "user_id", "user_token"
    ):
        if token:
            yield {
                "job_id": job,
                "service_id": service,
                "user_id": user,
                "kind": "job_token",
                "secret": token,
            }


def encrypt_legacy_secrets(apps: Any, schema_editor: Any) -> None:
    alias = schema_editor.connection.alias
    credential = apps.get_model("imputation", "ServiceCredential")
    now = timezone.now()
    found = _plaintext(apps, alias)
    while batch := list(islice(found, _BATCH)):
        credential.objects.using(alias).bulk_create(
            credential(encrypted=encrypt(row.pop("secret")), created_at=now, updated_at=now, **row)
            for row in batch
        )


class Migration(migrations.Migration):
    dependencies = [("imputation", "0008_service_credentials")]

    operations = [migrations.RunPython(encrypt_legacy_secrets, migrations.RunPython.noop)]
