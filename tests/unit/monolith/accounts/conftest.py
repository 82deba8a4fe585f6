import pytest

from tests.factories import make_user
from tests.unit.monolith.accounts.people import client_of


@pytest.fixture
def boss():
    """Manages users by role; no superuser."""
    return make_user("boss", role="admin")


@pytest.fixture
def root():
    return make_user("root", is_staff=True, is_superuser=True)


@pytest.fixture
def ada():
    return make_user("ada", role="researcher", email="ada@example.org")


@pytest.fixture
def as_boss(boss):
    return client_of(boss)


@pytest.fixture
def as_root(root):
    return client_of(root)


@pytest.fixture
def as_ada(ada):
    return client_of(ada)
