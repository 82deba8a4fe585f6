import pytest


@pytest.fixture(autouse=True)
def _fast_password_hashing(settings):
    """One cheap round for each password: the tests are about who may, not about hash strength."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
