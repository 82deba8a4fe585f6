from collections.abc import Iterator

import pytest

from tests.job_world import World
from tests.michigan_server import MichiganServer


@pytest.fixture
def server() -> Iterator[MichiganServer]:
    with MichiganServer() as running:
        yield running


@pytest.fixture(autouse=True)
def data_root(settings, tmp_path):
    settings.DATA_ROOT = str(tmp_path)


@pytest.fixture
def world(server: MichiganServer, transactional_db) -> World:
    return World(server)
