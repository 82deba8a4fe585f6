"""A short fuzz of every operation, the same in every run; `make fuzz-api` does the long one."""

import os
from pathlib import Path

import pytest
from drf_spectacular.generators import SchemaGenerator

from tests.fuzz.expectations import REFUSALS
from tests.fuzz.run import ACTORS, fuzz, table


@pytest.mark.timeout(900)
def test_a_short_fuzz_finds_nothing(tmp_path: Path):
    outcomes = fuzz(
        ACTORS,
        options=["--max-examples=1", "--seed=1", "--phases=fuzzing"],
        environment=os.environ,
        folder=tmp_path,
    )
    findings = [outcome.output for outcome in outcomes if not outcome.succeeded]
    if findings:
        pytest.fail("\n".join([*findings, table(outcomes)]), pytrace=False)
    asked = {operation for outcome in outcomes for operation in outcome.statuses}
    assert len(asked) > 70
    # Each actor is who they shall be.
    by_actor = {outcome.actor: outcome.statuses for outcome in outcomes}
    assert 200 not in by_actor["anonymous"]["GET /api/jobs/"]
    assert 200 in by_actor["researcher"]["GET /api/jobs/"]
    assert 200 not in by_actor["researcher"]["GET /api/users/"]
    assert 200 in by_actor["admin"]["GET /api/users/"]


def test_every_refusal_that_is_expected_is_of_an_operation_that_exists():
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    operations = {
        f"{method.upper()} {path}" for path, methods in paths.items() for method in methods
    }
    assert set(REFUSALS) - operations == set()
