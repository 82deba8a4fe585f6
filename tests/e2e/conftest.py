"""One platform for the journeys that need nothing of their own: its nodes impute with numpy.

Whoever breaks it starts it again (`platform.up()`), before the next test or after his own.
"""

from collections.abc import Iterator

import pytest

from tests.platforms import OwnPlatform, own_platform


@pytest.fixture(scope="session")
def numpy_platform() -> Iterator[OwnPlatform]:
    with own_platform(STUDY="kit", NODE_ENGINE="numpy") as platform:
        platform.up()
        yield platform
