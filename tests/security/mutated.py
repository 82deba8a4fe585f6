"""A pytest plugin: put the mutant that `MUTANT` names to work before the tests run.

`MUTANT` is a module and the number of its mutant, as `tests.security.mutants` counts them.
"""

import importlib
import os

import pytest

from tests.security.mutants import mutants_of


def pytest_collection_finish(session: pytest.Session) -> None:
    """By now every module that the tests import is there; views may wait for the first request."""
    module, number = os.environ["MUTANT"].split()
    list(mutants_of(importlib.import_module(module)))[int(number)].apply()
