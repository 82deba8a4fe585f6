"""The walk's database has a name of its own: other suites run beside it on the same server."""

import pytest


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix) -> None:
    from django.conf import settings

    for database in settings.DATABASES.values():
        database.setdefault("TEST", {})["NAME"] = f"test_security_{settings.DEPLOYMENT}"
