"""One server of our own for all rows."""

import os
from collections.abc import Iterator

import pytest

from tests.contract.own_server import own_server
from tests.contract.scene import Scene


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with own_server(os.environ, tmp_path_factory.mktemp("contract")) as (address, credentials):
        made = Scene(url=address, credentials=credentials)
        yield made
        left = made.close()
        assert [told for told in left if "deactivated" not in told] == []
