from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def root(settings, tmp_path: Path) -> Path:
    settings.DATA_ROOT = str(tmp_path)
    return tmp_path
