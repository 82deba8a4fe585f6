"""Every row of the contract against a server of our own."""

import pytest

from tests.contract.recording import stale_example
from tests.contract.row import Row
from tests.contract.rows import ROWS
from tests.contract.runner import run
from tests.contract.scene import Scene

pytestmark = pytest.mark.timeout(900)  # the first one waits for the server


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_server_answers_as_the_contract_says(row: Row, scene: Scene):
    outcome = run(row, scene)
    assert outcome.untried == ""
    assert list(outcome.differences) == []
    assert stale_example(outcome) == []
