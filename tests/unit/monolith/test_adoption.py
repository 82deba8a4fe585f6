"""A database that the legacy code made is taken over without changing one of its values."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from federated_imputation.monolith.accounts.models import ServiceCredential
from federated_imputation.monolith.accounts.secrets import decrypt
from federated_imputation.monolith.files.models import StoredFile
from tests.legacy_database import (
    create_legacy_database,
    expected_schema,
    new_database,
    schema_of,
    values_of,
)
from tests.legacy_rows import MIGRATIONS, legacy_rows

# The first test waits for a whole adoption, with processes of its own.
pytestmark = pytest.mark.timeout(300)
MANAGE = Path(__file__).resolve().parents[3] / "manage.py"
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
        seen.locked_late = []
        with connections[alias].execute_wrapper(LateLocks(alias, seen.locked_late)):
            call_command("migrate", database=alias, verbosity=0)
        seen.keys = _keys(alias)
        seen.schema_after = schema_of(alias, LEGACY.tables)
        seen.after = values_of(alias)
        seen.plan_after = _plan(alias)
        seen.credentials = list(ServiceCredential.objects.using(alias).order_by("id"))
        seen.next_user = _next_id(alias, "auth_user")
        seen.unequal_before, _ = _backfill(alias, "check")
        seen.run, seen.run_status = _backfill(alias, "run", "--batch", "50")
        seen.unequal_after, seen.check_status = _backfill(alias, "check")
        seen.after_backfills = values_of(alias)
        seen.stored = list(
            StoredFile.objects.using(alias).values("kind", "size", "sha256", "md5", "name", "url")
        )
        yield seen


class LateLocks:
    """Notes each statement that locks a legacy table against writers and is no `LOCK TABLE`."""

    def __init__(self, alias, noted):
        self._alias, self._noted, self._held = alias, noted, set()

    def __call__(self, execute, statement, params, many, context):
        done = execute(statement, params, many, context)
        # Not through Django, which would call this again.
        with connections[self._alias].connection.cursor() as cursor:
            cursor.execute(
                "SELECT relation::regclass::text FROM pg_locks WHERE pid = pg_backend_pid() "
                "AND mode = ANY(%s) AND relation::regclass::text = ANY(%s)",
                [
                    ["ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"],
                    LEGACY.tables,
                ],
            )
            held = {table for (table,) in cursor.fetchall()}
        told = statement if isinstance(statement, str) else statement.as_string(None)
        if held - self._held and not told.startswith("LOCK TABLE"):
            self._noted.append((told[:100], held - self._held))
        self._held = held
        return done


def _keys(alias):
    """Each foreign key of a table of ours that names a legacy one, and what it does on delete."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT conname, confdeltype::text FROM pg_constraint WHERE contype = 'f' "
            "AND conrelid::regclass::text <> ALL(%(legacy)s) "
            "AND confrelid::regclass::text = ANY(%(legacy)s)",
            {"legacy": LEGACY.tables},
        )
        return dict(cursor.fetchall())


def _backfill(alias, *arguments):
    """What the command reports by backfill, and its exit status; as an operator runs it."""
    of = connections[alias].settings_dict
    url = f"postgres://{of['USER']}:{of['PASSWORD']}@{of['HOST']}:{of['PORT']}/{of['NAME']}"
    done = subprocess.run(
        [sys.executable, MANAGE, "backfill", *arguments, "--json"],
        env={**os.environ, "DEPLOYMENT": "monolith", "MONOLITH_DATABASE_URL": url},
        stdout=subprocess.PIPE,
        check=False,
    )
    report = json.loads(done.stdout)["backfills"]
    return {each.pop("name"): each for each in report}, done.returncode


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


def test_migrate_locks_legacy_tables_in_no_other_way_than_by_lock_tables(adopted):
    assert adopted.locked_late == []


def test_legacy_process_may_delete_what_rows_of_ours_name(adopted):
    assert {name for name, acts in adopted.keys.items() if acts not in {"c", "n"}} == set()
    assert {"servicecredential_user", "jobwork_job", "tokenfamily_user"} <= set(adopted.keys)


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


def test_every_legacy_row_is_copied_by_the_backfills(adopted):
    rows = legacy_rows()
    with_input = [row for row in rows["imputation_imputationjob"] if row["input_file"]]
    whole = {
        "credentials": 0,  # migration 0009 encrypted them
        "notification-preferences": len(rows["imputation_userprofile"]),
        "result-files": len(rows["imputation_resultfile"]),
        "genotype-files": 0,
        "bytes-of-files": 0,  # none came with the database
    }
    missing = {name: each["differences"] for name, each in adopted.unequal_before.items()}
    assert missing.pop("files-of-jobs") > len(with_input)
    assert missing == whole
    assert adopted.run_status == adopted.check_status == 0
    assert {name: adopted.run[name]["written"] for name in whole} == whole
    assert {each["differences"] for each in adopted.unequal_after.values()} == {0}
    assert sum(file["kind"] == "input" for file in adopted.stored) == len(with_input)


def test_backfills_change_no_legacy_value(adopted):
    assert adopted.after_backfills == adopted.after


def test_files_are_what_odd_legacy_columns_say(adopted):
    assert {file["size"] for file in adopted.stored} >= {None, 0, 2**31, 2**40, 2**63 - 1}
    assert {file["md5"] for file in adopted.stored} == {"", "a" * 32}
    assert {file["sha256"] for file in adopted.stored} == {"", "b" * 64, "c" * 64}
    names = {file["name"] for file in adopted.stored}
    assert {"chr_20.zip", "a b.zip", "c.zip", "é 🧬.zip", "n" * 255} <= names
    assert "https://example.org/d.zip" in {file["url"] for file in adopted.stored}
