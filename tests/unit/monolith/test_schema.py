"""Our migrations make the legacy schema exactly, and what comes after only adds."""

import pytest
from django.core.management import call_command

from tests.legacy_database import expected_schema, new_database, schema_of

LEGACY = expected_schema()


@pytest.fixture(scope="module")
def fresh(django_db_setup, django_db_blocker):
    """A database migrated from nothing to where the legacy code ended."""
    with django_db_blocker.unblock(), new_database("fresh") as alias:
        call_command("migrate", "imputation", "0007", database=alias, verbosity=0)
        for app in ("auth", "admin", "contenttypes", "sessions"):
            call_command("migrate", app, database=alias, verbosity=0)
        yield alias


def test_legacy_schema_has_the_size_that_is_documented():
    assert len(LEGACY.columns) == 199
    assert len(LEGACY.indexes) == 83
    assert len(LEGACY.constraints) == 77


def test_migrations_make_the_legacy_schema(fresh, django_db_blocker):
    with django_db_blocker.unblock():
        made = schema_of(fresh, LEGACY.tables)
    assert made.columns == LEGACY.columns
    assert made.constraints == LEGACY.constraints
    assert made.indexes == LEGACY.indexes


@pytest.mark.django_db
def test_newest_schema_keeps_every_legacy_row_and_adds_only_nullable_columns():
    newest = schema_of("default", LEGACY.tables)
    assert newest.columns >= LEGACY.columns
    assert newest.constraints >= LEGACY.constraints
    assert newest.indexes >= LEGACY.indexes
    added = newest.columns - LEGACY.columns
    assert added, "the newest migrations add columns; without one this test shows nothing"
    assert {column[5] for column in added} == {"YES"}
