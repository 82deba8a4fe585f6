"""Suites run side by side on one server: each has databases of its own."""

import os

import pytest


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix) -> None:
    from django.conf import settings

    suite = os.environ.get("TEST_SUITE", "alone")
    for database in settings.DATABASES.values():
        database.setdefault("TEST", {})["NAME"] = f"test_{suite}_{settings.DEPLOYMENT}"
    # One server for all of them: what one keeps of row 7 is nothing to another's row 7.
    for each in settings.CACHES.values():
        each["KEY_PREFIX"] = f"test:{suite}:{settings.DEPLOYMENT}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what the run cost: its time on a busy machine says little."""
    cost = os.times()
    own, others = cost.user + cost.system, cost.children_user + cost.children_system
    terminalreporter.write_line(f"{own:.0f} s of CPU, {others:.0f} s of the processes it started")
