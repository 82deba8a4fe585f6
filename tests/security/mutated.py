"""A pytest plugin: put the mutant that `MUTANT` names to work before the tests run.

`MUTANT` is a module and the number of its mutant, as `tests.security.mutants` counts them.
"""

import os
import sys

import pytest

from tests.security.mutants import mutants_of


def pytest_collection_finish(session: pytest.Session) -> None:
    """By now every module that the tests use is imported."""
    module, number = os.environ["MUTANT"].split()
    list(mutants_of(sys.modules[module]))[int(number)].apply()
