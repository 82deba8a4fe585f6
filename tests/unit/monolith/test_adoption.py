"""A database that the legacy code made is taken over without changing one of its values."""

from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from federated_imputation.monolith.accounts.models import ServiceCredential
from federated_imputation.monolith.accounts.secrets import decrypt
from tests.legacy_database import (
    create_legacy_database,
    expected_schema,
    new_database,
    schema_of,
    values_of,
)
from tests.legacy_rows import MIGRATIONS, legacy_rows

LEGACY = expected_schema()
# What Django derives from the code: a new model adds rows here, and only here.
DERIVED = {"django_migrations", "django_content_type", "auth_permission"}


@pytest.fixture(scope="module")
def adopted(django_db_setup, django_db_blocker):
    """What a legacy database was, before and after our code migrated it."""
    with django_db_blocker.unblock(), new_database("legacy") as alias:
        create_legacy_database(alias)
        seen = SimpleNamespace(schema_before=schema_of(alias, LEGACY.tables))
        seen.before = values_of(alias)
        seen.plan_before = _plan(alias)
        call_command("migrate", database=alias, verbosity=0)
        seen.schema_after = schema_of(alias, LEGACY.tables)
        seen.after = values_of(alias)
        seen.plan_after = _plan(alias)
        seen.credentials = list(ServiceCredential.objects.using(alias).order_by("id"))
        seen.next_user = _next_id(alias, "auth_user")
        yield seen


def _plan(alias):
    """What `migrate` would do, as (app, name)."""
    executor = MigrationExecutor(connections[alias])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    assert not any(backwards for _, backwards in plan)
    return [(migration.app_label, migration.name) for migration, _ in plan]


def _next_id(alias, table):
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id'))", [table])
        return cursor.fetchone()[0]


def test_writer_makes_the_legacy_schema(adopted):
    assert adopted.schema_before == LEGACY


def test_writer_fills_every_table(adopted):
    counts = {table: len(rows) for table, rows in adopted.before.items()}
    assert counts.pop("django_migrations") == 25
    assert set(counts) == set(LEGACY.tables) - {"django_migrations"}
    assert min(counts.values()) >= 100


def test_legacy_migrations_have_nothing_to_do(adopted):
    assert not set(adopted.plan_before) & set(MIGRATIONS)
    assert {app for app, _ in adopted.plan_before} == {"axes", "imputation"}
    ours = [migration for migration in adopted.plan_before if migration[0] == "imputation"]
    assert ours[0] == ("imputation", "0008_service_credentials")


def test_migrate_reaches_the_newest_schema(adopted):
    assert adopted.plan_after == []
    assert adopted.schema_after.columns >= LEGACY.columns
    assert adopted.schema_after.constraints >= LEGACY.constraints
    assert adopted.schema_after.indexes >= LEGACY.indexes


@pytest.mark.parametrize("table", LEGACY.tables)
def test_migrate_changes_no_value(adopted, table):
    before, after = adopted.before[table], adopted.after[table]
    assert {key: after.get(key) for key in before} == before
    if table not in DERIVED:
        assert set(after) == set(before)


def test_new_rows_get_ids_that_were_never_used(adopted):
    assert adopted.next_user > max(int(key) for key in adopted.before["auth_user"])


def test_every_plaintext_secret_has_an_encrypted_row(adopted):
    rows = legacy_rows()
    configured = {
        (row["service_id"], None, None, "api_token"): row["api_key"]
        for row in rows["imputation_serviceconfiguration"]
    }
    expected = {
        **{
            (row["id"], None, None, "api_token"): row["api_key"]
            for row in rows["imputation_imputationservice"]
        },
        **{owner: key for owner, key in configured.items() if key},
        **{
            (row["service_id"], None, None, "api_secret"): row["api_secret"]
            for row in rows["imputation_serviceconfiguration"]
        },
        **{
            (row["service_id"], row["user_id"], None, "api_token"): row["api_key"]
            for row in rows["imputation_userserviceaccess"]
        },
        **{
            (row["service_id"], row["user_id"], row["id"], "job_token"): row["user_token"]
            for row in rows["imputation_imputationjob"]
        },
    }
    found = {
        (row.service_id, row.user_id, str(row.job_id) if row.job_id else None, row.kind): decrypt(
            row.encrypted
        )
        for row in adopted.credentials
    }
    assert found == {owner: secret for owner, secret in expected.items() if secret}
    assert len(found) > 100


def test_no_encrypted_row_holds_its_plaintext(adopted):
    assert not any(decrypt(row.encrypted) in row.encrypted for row in adopted.credentials)
