"""A worker is killed at every SQL statement of a deletion; a later one finds what it left.

The kill is an exception in place of the statement and of each after it: what was not committed is
not there. Bytes whose rows went just before it are left to the sweep. A short run takes every ninth
statement, `make chaos` each.
"""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from federated_imputation.monolith.deletions.models import Deletion
from federated_imputation.monolith.files import operations as files
from federated_imputation.monolith.files.operations.genotypes import sweep_genotypes
from federated_imputation.monolith.jobs import queries
from federated_imputation.monolith.sagas.deletion import advance
from tests.deletion_scene import KINDS, LATER, Crash, Scene


class Statements:
    """Counts SQL statements; at one of them the process is dead, and does no other."""

    def __init__(self, crash_at: int | None = None) -> None:
        self.seen = 0
        self._crash_at = crash_at

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if self._crash_at is not None and self.seen >= self._crash_at:
            raise Crash
        self.seen += 1
        return execute(sql, params, many, context)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "every", [9, pytest.param(1, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
)
@pytest.mark.parametrize("kind", KINDS)
def test_deletion_goes_on_after_a_crash_at_any_statement(kind, every, settings, tmp_path):
    settings.DATA_ROOT = str(tmp_path)
    scene, counted = Scene(tmp_path), Statements()
    deletion = scene.delete(kind)
    with connection.execute_wrapper(counted):
        assert advance(deletion.pk, clock=scene.clock)
    assert counted.seen > 10
    for point in range(1, counted.seen, every):
        scene, doomed = Scene(tmp_path), Statements(point)
        deletion = scene.delete(kind)
        with connection.execute_wrapper(doomed), pytest.raises(Crash):
            advance(deletion.pk, clock=scene.clock)

        scene.clock.move(LATER)
        assert advance(deletion.pk, clock=scene.clock) or not Deletion.objects.exists()

        days_later = scene.clock() + timedelta(days=2)
        files.sweep_results(now=days_later)
        files.sweep_inputs(is_known=lambda path: queries.is_input(path=path), now=days_later)
        sweep_genotypes(now=days_later)
        assert scene.left(kind, tmp_path) == [], f"crashed at statement {point}"
        scene.assert_others_are_whole(tmp_path)
