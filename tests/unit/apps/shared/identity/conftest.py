import pytest

from tests.cheap_hashers import CheapPBKDF2SHA256, cheap_hashers


@pytest.fixture(autouse=True)
def _cheap_hashers(settings):
    settings.PASSWORD_HASHERS = cheap_hashers(upgrade=False)
    CheapPBKDF2SHA256.spent = 0
