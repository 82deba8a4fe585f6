from pathlib import Path

import pytest

from tests.factories import make_panel, make_service, make_user


@pytest.fixture(autouse=True)
def root(settings, tmp_path: Path) -> Path:
    settings.DATA_ROOT = str(tmp_path)
    return tmp_path


@pytest.fixture
def ada(db):
    return make_user("ada", role="researcher")


@pytest.fixture
def eve(db):
    return make_user("eve", role="researcher")


@pytest.fixture
def panel(db):
    return make_panel(make_service())
