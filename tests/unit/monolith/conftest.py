import threading

import pytest
from django.db import connections


@pytest.fixture(autouse=True)
def _fast_password_hashing(settings):
    """One cheap round for each password: the tests are about who may, not about hash strength."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def elsewhere():
    """Starts a function in a thread with its own connection; returns what waits for its end."""
    joins = []

    def start(act):
        errors = []

        def run():
            try:
                act()
            except Exception as error:
                errors.append(error)
            finally:
                connections.close_all()

        def join():
            thread.join(timeout=120)
            assert not thread.is_alive()
            assert errors == []

        thread = threading.Thread(target=run)
        thread.start()
        joins.append(join)
        return join

    yield start
    for join in joins:
        join()
